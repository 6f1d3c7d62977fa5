"""The judge's network: residual convolutions (He et al. 2015, arXiv 1512.03385) and questions about places.

Category c and quadrant q are one question, because only together they look alike. With logits s of each place,

    p(c, q) = softmax over (c, q) of log sum_places exp s(place, c, q)

and category and quadrant are its marginals. Colour and relation are asked about categories that the caption names. The
word for a category looks where its item is (dot-product attention over places, Vaswani et al. 2017, arXiv 1706.03762):

    colour of c             from what is seen there, and from c
    relation of c to d      from the means and spreads of the two places alone, and the camera's azimuth

Were the relation's head told the categories, it would learn the scenes by heart: almost every pair is seen once only.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, log_softmax, pad

from lodestone.arrays import Images
from lodestone.data.worlds.captions import Relation
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.colors import COLORS
from lodestone.errors import SettingError, check_range
from lodestone.evaluation.judge.quadrants import Quadrant

__all__ = ["COLOR_NAMES", "NOUNS", "RELATIONS", "SIDE", "Judge", "Verdicts"]

SIDE = 64
"""Side of the pictures that it looks at, in pixels."""
NOUNS = tuple(CATEGORIES)
COLOR_NAMES = tuple(COLORS)
RELATIONS = tuple(Relation)
WORDS = 64
"""Length of the learned vector of a category that is asked about, and of what is kept of each place."""
HIDDEN = 256
BLUR, REACH = 1.2, 4
"""Standard deviation and reach, in pixels, of the blur through which it looks."""


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """What the judge says of v pictures; row i belongs to picture i."""

    category: Float[Tensor, "v categories"]
    """Log probabilities in the order of `CATEGORIES`. Two items share them."""
    quadrant: Float[Tensor, "v 4"]
    """Log probabilities of each `Quadrant`: which side is seen."""
    features: Float[Tensor, "v f"]
    """What the questions about colour and relation are answered from."""


class Residual(nn.Module):
    """Two convolutions and a shortcut, at half the resolution."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels_in, channels, 1, bias=False))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        hidden = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(hidden + self.shortcut(x))


class Judge(nn.Module):
    """Says what pictures show; `load_judge` brings the trained one.

    Args:
        channels: Of the residual blocks, each at half the resolution of the one before.
        oriented: Categories whose sides can be told apart, by measurement.

    Raises: SettingError if the blocks are too few or too many for the pictures.
    """

    def __init__(self, channels: tuple[int, ...] = (64, 128, 256), oriented: tuple[str, ...] = ()) -> None:
        super().__init__()
        check_range("judge.channels (their number)", len(channels), 2, 4)
        check_range("judge.channels (the least)", min(channels), 2, 4096)
        self.channels, self.oriented = channels, oriented
        stem = channels[0] // 2
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        self.blocks = nn.ModuleList(Residual(a, b) for a, b in zip((stem, *channels[:-1]), channels, strict=True))
        self.items = nn.Conv2d(channels[-1], len(NOUNS) * len(Quadrant), 1)
        self.coarse, self.fine = nn.Conv2d(channels[-1], WORDS, 1), nn.Conv2d(channels[-2], WORDS, 1)
        self.word = nn.Embedding(len(NOUNS), WORDS)
        self.key, self.value = nn.Linear(WORDS, WORDS), nn.Linear(WORDS, WORDS)
        self.color_head = answers(2 * WORDS, len(COLOR_NAMES))
        self.relation_head = answers(2 * 4 + 2, len(RELATIONS))

    def forward(self, images: Images) -> Verdicts:
        """Looks at pictures in [0, 1] of any square size, resized to 64 x 64 and softened first."""
        joint, features = self.look(images)
        return Verdicts(category=joint.logsumexp(dim=2), quadrant=joint.logsumexp(dim=1), features=features)

    def look(self, images: Images) -> tuple[Float[Tensor, "v categories 4"], Float[Tensor, "v f"]]:
        """Log probabilities of category and quadrant together, and the features."""
        if images.shape[-2:] != (SIDE, SIDE):
            images = interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        seen = [self.stem(((soft(images) - 0.5) / 0.25).contiguous(memory_format=torch.channels_last))]
        for block in self.blocks:
            seen.append(block(seen[-1]))
        items = self.items(seen[-1]).flatten(2).float().logsumexp(dim=2)
        joint = log_softmax(items, dim=1).view(-1, len(NOUNS), len(Quadrant))
        places = torch.relu(self.fine(seen[-2]) + interpolate(self.coarse(seen[-1]), scale_factor=2.0))
        return joint, places.float().flatten(1)

    def colors(self, verdicts: Verdicts, category: str) -> Float[Tensor, "v colors"]:
        """Log probabilities over `COLORS` of the item of a category.

        Raises: SettingError if there is no such category.
        """
        return self.color_of(verdicts.features, rows_of(category, verdicts))

    def relations(
        self, verdicts: Verdicts, first: str, second: str, azimuth: Float[Tensor, " v"]
    ) -> Float[Tensor, "v relations"]:
        """Log probabilities over `Relation`, of the first item to the second, seen from cameras with these azimuths.

        Raises: SettingError if there is no such category.
        """
        return self.relation_of(verdicts.features, rows_of(first, verdicts), rows_of(second, verdicts), azimuth)

    def color_of(self, features: Float[Tensor, "v f"], category: Int[Tensor, " v"]) -> Float[Tensor, "v colors"]:
        """The same for a category of each picture, by number."""
        there = self.attention(features, category)[:, :, None] * self.value(places_of(features))
        told = torch.cat([there.sum(dim=1), self.word(category)], dim=1)
        return log_softmax(self.color_head(told).float(), dim=-1)

    def relation_of(
        self,
        features: Float[Tensor, "v f"],
        first: Int[Tensor, " v"],
        second: Int[Tensor, " v"],
        azimuth: Float[Tensor, " v"],
    ) -> Float[Tensor, "v relations"]:
        """The same for categories of each picture, by number."""
        a = torch.deg2rad(azimuth)
        where = [place(self.attention(features, category)) for category in (first, second)]
        told = torch.cat([*where, torch.stack([a.sin(), a.cos()], dim=1)], dim=1)
        return log_softmax(self.relation_head(told).float(), dim=-1)

    def attention(self, features: Float[Tensor, "v f"], category: Int[Tensor, " v"]) -> Float[Tensor, "v places"]:
        """How much of the item is at each place; 1 in all."""
        scores = (self.key(places_of(features)) * self.word(category)[:, None]).sum(dim=2)
        return (scores.float() / WORDS**0.5).softmax(dim=1)


def soft(images: Images) -> Images:
    """A Gaussian blur. Of the truth it hides nothing; of small priors it hides the grain that people look through."""
    at = torch.arange(-REACH, REACH + 1, device=images.device)
    weight = torch.exp(-(at / BLUR).square() / 2).to(images)
    kernel = (weight / weight.sum()).expand(3, 1, 1, -1)
    across = conv2d(pad(images, (REACH, REACH, 0, 0), mode="replicate"), kernel, groups=3)
    return conv2d(pad(across, (0, 0, REACH, REACH), mode="replicate"), kernel.mT, groups=3)


def answers(width: int, count: int) -> nn.Sequential:
    """A head with one hidden layer."""
    return nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, count))


def places_of(features: Float[Tensor, "v f"]) -> Float[Tensor, "v places words"]:
    """What is kept of each place, row after row."""
    return features.unflatten(1, (WORDS, -1)).transpose(1, 2)


def place(attention: Float[Tensor, "v places"]) -> Float[Tensor, "v 4"]:
    """Mean and standard deviation of the place, to the right and downwards, from -1 to 1."""
    side = round(attention.shape[1] ** 0.5)
    line = torch.linspace(-1, 1, side, device=attention.device)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).view(-1, 2)
    mean = attention @ grid
    variance = attention @ grid.square() - mean.square()
    return torch.cat([mean, variance.clamp(min=1e-6).sqrt()], dim=1)


def rows_of(category: str, verdicts: Verdicts) -> Int[Tensor, " v"]:
    """The number of a category, once for each picture.

    Raises: SettingError if there is no such category.
    """
    if category not in CATEGORIES:
        raise SettingError(f"the judge knows no category {category!r}: choose among {', '.join(NOUNS)}")
    features = verdicts.features
    return torch.full((len(features),), NOUNS.index(category), device=features.device)
