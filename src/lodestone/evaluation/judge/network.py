"""The judge's network: residual convolutions (He et al. 2015, arXiv 1512.03385) and four heads on one feature vector.

    features = (mean over places, what is where); category, quadrant = heads(features)
    colour = head(features, category asked for); relation = head(features, both categories, sin a, cos a)

Colour and relation are questions about items that the caption names, from a camera with azimuth a.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import interpolate, log_softmax

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
"""Length of the learned vector of a category that is asked about."""
HIDDEN = 256
PLACED = 16
"""Channels that are kept place by place."""


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

    Raises: SettingError if the blocks are too many for the pictures.
    """

    def __init__(self, channels: tuple[int, ...] = (48, 96, 192, 256), oriented: tuple[str, ...] = ()) -> None:
        super().__init__()
        check_range("judge.channels (their number)", len(channels), 1, 5)
        check_range("judge.channels (the least)", min(channels), 2, 4096)
        self.channels, self.oriented = channels, oriented
        stem = channels[0] // 2
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        self.blocks = nn.Sequential(*(Residual(a, b) for a, b in zip((stem, *channels[:-1]), channels, strict=True)))
        side = SIDE // 2 ** (len(channels) + 1)
        self.places = nn.Conv2d(channels[-1], PLACED, 1)
        width = channels[-1] + PLACED * side**2
        self.category_head = nn.Linear(width, len(NOUNS))
        self.quadrant_head = answers(width, len(Quadrant))
        self.asked = nn.Embedding(len(NOUNS), WORDS)
        self.color_head = answers(width + WORDS, len(COLOR_NAMES))
        self.relation_head = answers(width + 2 * WORDS + 2, len(RELATIONS))

    def forward(self, images: Images) -> Verdicts:
        """Looks at pictures in [0, 1] of any square size, resized to 64 x 64 first."""
        if images.shape[-2:] != (SIDE, SIDE):
            images = interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        seen = self.blocks(self.stem(((images - 0.5) / 0.25).contiguous(memory_format=torch.channels_last)))
        features = torch.cat([seen.mean(dim=(-2, -1)), self.places(seen).flatten(1)], dim=1).float()
        return Verdicts(
            category=log_softmax(self.category_head(features).float(), dim=-1),
            quadrant=log_softmax(self.quadrant_head(features).float(), dim=-1),
            features=features,
        )

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
        told = torch.cat([features, self.asked(category)], dim=1)
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
        told = [features, self.asked(first), self.asked(second), torch.stack([a.sin(), a.cos()], dim=1)]
        return log_softmax(self.relation_head(torch.cat(told, dim=1)).float(), dim=-1)


def answers(width: int, count: int) -> nn.Sequential:
    """A head with one hidden layer."""
    return nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, count))


def rows_of(category: str, verdicts: Verdicts) -> Int[Tensor, " v"]:
    """The number of a category, once for each picture.

    Raises: SettingError if there is no such category.
    """
    if category not in CATEGORIES:
        raise SettingError(f"the judge knows no category {category!r}: choose among {', '.join(NOUNS)}")
    features = verdicts.features
    return torch.full((len(features),), NOUNS.index(category), device=features.device)
