"""Data sets to draw captioned pictures from: the shipped emoji, and views of the procedural world."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from random import Random

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from lodestone.data.captions import vary
from lodestone.data.emoji import EmojiSet, load_emoji
from lodestone.data.training.settings import TrainingSettings
from lodestone.data.worlds.cache import RenderedViews, ViewSettings, read_cache
from lodestone.data.worlds.captions import Attributes, plain_caption
from lodestone.data.worlds.requests import nouns
from lodestone.data.worlds.typical_colors import has_typical_colors
from lodestone.data.worlds.world import is_held_out
from lodestone.errors import SettingError
from lodestone.prompts.camera import camera_features
from lodestone.rendering.cameras import Viewpoints

__all__ = ["AbstractSource", "Drawn", "EmojiSource", "WorldSource", "augment", "open_world", "premultiplied"]

SOLID = ("animals-nature", "food-drink", "travel-places", "activities", "objects")
"""Groups that hold things with a body; the rest are faces, people, signs and flags."""


@dataclass(frozen=True)
class Drawn:
    """Some pictures, and what is said of them."""

    rgba: Float[Tensor, "b 4 h w"]
    """Premultiplied colour and opacity, in [0, 1]."""
    texts: list[str]
    camera: Float[Tensor, "b k"]
    """The numbers that tell the camera, 0 where none is told; k = 0 for a prior without cameras."""
    mirrored: Bool[Tensor, " b"]
    """Which are mirror images: their drafts are mirrored as well, so that the draft tells the orientation."""

    @classmethod
    def join(cls, parts: "Sequence[Drawn]") -> "Drawn":
        """One after the other."""
        return cls(
            torch.cat([part.rgba for part in parts]),
            [text for part in parts for text in part.texts],
            torch.cat([part.camera for part in parts]),
            torch.cat([part.mirrored for part in parts]),
        )


class AbstractSource(abc.ABC):
    """A data set."""

    @abc.abstractmethod
    def draw(self, count: int, rng: torch.Generator, *, plain: bool = False) -> Drawn:
        """So many pictures; as they are if `plain`, augmented if not."""


def premultiplied(rgba: Float[Tensor, "b 4 h w"]) -> Float[Tensor, "b 4 h w"]:
    """Straight colour and opacity with the colour multiplied by the opacity."""
    return torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], dim=1)


def augment(
    rgba: Float[Tensor, "b 4 h w"], rng: torch.Generator
) -> tuple[Float[Tensor, "b 4 h w"], Bool[Tensor, " b"]]:
    """Small scale, shift and mirror of premultiplied pictures, and which are mirrored.

    What comes in from outside is transparent.
    """
    count = rgba.shape[0]
    scale = 1 + 0.05 * (2 * torch.rand(count, generator=rng) - 1)
    mirrored = torch.rand(count, generator=rng) < 0.5
    mirror = torch.where(mirrored, -1.0, 1.0)
    shift = 0.05 * (2 * torch.rand(count, 2, generator=rng) - 1)
    zero = torch.zeros(count)
    rows = torch.stack([scale * mirror, zero, shift[:, 0], zero, scale, shift[:, 1]], dim=1)
    grid = affine_grid(rows.view(count, 2, 3), list(rgba.shape), align_corners=False)
    moved = grid_sample(rgba, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return moved, mirrored


@dataclass(frozen=True)
class EmojiSource(AbstractSource):
    """Emoji, moved and mirrored a little; nobody knows their cameras.

    Some of those whose names are no category of the world come with a camera drawn at random: so the prior learns that
    of what it knows from emoji alone, a camera says nothing.
    """

    rgba: Float[Tensor, "n 4 h w"]
    """Premultiplied."""
    names: tuple[str, ...]
    keywords: tuple[tuple[str, ...], ...]
    weights: Float[Tensor, " n"]
    settings: TrainingSettings

    @classmethod
    def load(cls, settings: TrainingSettings) -> "EmojiSource":
        """All that ship with the package."""
        return cls.of(load_emoji(), settings)

    @classmethod
    def of(cls, emoji: EmojiSet, settings: TrainingSettings) -> "EmojiSource":
        """These; each as likely as its group makes it."""
        rgba = premultiplied(emoji.rgba.float() / 255)
        if rgba.shape[-1] != settings.size:
            rgba = interpolate(rgba, size=settings.size, mode="area")
        solid = torch.tensor([group in SOLID for group in emoji.groups])
        shares = settings.solid_share, 1 - settings.solid_share
        weights = torch.where(solid, shares[0] / solid.sum().clamp(min=1), shares[1] / (~solid).sum().clamp(min=1))
        return cls(rgba, emoji.names, emoji.keywords, weights, settings)

    def draw(self, count: int, rng: torch.Generator, *, plain: bool = False) -> Drawn:
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=rng)
        variants = torch.randint(self.settings.caption_variants, (count,), generator=rng)
        texts = [self.text(row, variant) for row, variant in zip(chosen.tolist(), variants.tolist(), strict=True)]
        rgba, mirrored = self.rgba[chosen], torch.zeros(count, dtype=torch.bool)
        if not plain:
            rgba, mirrored = augment(rgba, rng)
        return Drawn(rgba, texts, self.cameras(chosen, rng), mirrored)

    def cameras(self, chosen: Int[Tensor, " b"], rng: torch.Generator) -> Float[Tensor, "b k"]:
        """None for most, any for some."""
        count = len(chosen)
        if not self.settings.camera_features:
            return torch.zeros(count, 0)
        told = torch.rand(count, generator=rng) < self.settings.emoji_camera
        anywhere = ViewSettings().cameras.sample(count, rng)
        shuffled = replace(anywhere, azimuth=anywhere.azimuth[torch.randperm(count, generator=rng)])
        return camera_features(shuffled) * (told & ~self.in_world[chosen])[:, None]

    @cached_property
    def in_world(self) -> Bool[Tensor, " n"]:
        """Which of the emoji are named like a category of the world, and so are known from all sides."""
        known = nouns()
        return torch.tensor([name in known for name in self.names])

    def text(self, row: int, variant: int) -> str:
        """A spelling of the caption; the first is the name itself."""
        return vary(self.names[row], self.keywords[row], Random(f"{row}/{variant}")) if variant else self.names[row]


@dataclass(frozen=True)
class WorldSource(AbstractSource):
    """Views of the world as they were rendered; nothing is mirrored, since left and right are said."""

    views: RenderedViews
    settings: TrainingSettings

    def draw(self, count: int, rng: torch.Generator, *, plain: bool = False) -> Drawn:
        rand = partial(torch.rand, count, generator=rng)
        scene = torch.randint(len(self.views), (count,), generator=rng)
        view = torch.randint(self.views.rgba.shape[1], (count,), generator=rng)
        variants = torch.randint(1, self.settings.caption_variants + 1, (count,), generator=rng)
        variants = variants.masked_fill(rand() < 0.5, 0)
        viewpoints = viewpoints_of(self.views, scene, view)
        told = rand() >= self.settings.camera_drop
        colorless = (rand() < self.settings.colorless_share).tolist()
        texts = [
            self.text(row, variant, colorless=bare)
            for row, variant, bare in zip(scene.tolist(), variants.tolist(), colorless, strict=True)
        ]
        rgba = premultiplied(self.views.rgba[scene, view].float() / 255)
        camera = camera_features(viewpoints) * told[:, None]
        return Drawn(rgba, texts, camera, torch.zeros(count, dtype=torch.bool))

    def text(self, row: int, variant: int, *, colorless: bool = False) -> str:
        """A way to say the caption; number 0 is the plain one.

        Colours are said unless they are those that the things have if nobody says one; a caption without colours means
        these, not the mean of all. They are said as well if the caption without is held out.
        """
        bare = without_colors(self.views.attributes[row])
        if colorless and has_typical_colors(self.views.attributes[row]) and not is_held_out(bare):
            return plain_caption(bare)
        return self.views.paraphrase(row, variant) if variant else self.views.caption(row)


def without_colors(attributes: Attributes) -> Attributes:
    """The same things of any colour."""
    return replace(attributes, items=tuple(replace(item, color=None) for item in attributes.items))


def viewpoints_of(views: RenderedViews, scene: Tensor, view: Tensor) -> Viewpoints:
    """The cameras of some views."""
    return Viewpoints(
        azimuth=views.azimuth[scene, view],
        elevation=views.elevation[scene, view],
        distance=views.distance[scene, view],
        field_of_view=views.field_of_view[scene, view],
    )


def open_world(settings: TrainingSettings) -> RenderedViews:
    """The view cache that the settings name.

    Raises: SettingError if there is none, another version or world made it, its pictures have another size, or it
    holds captions that training must not see.
    """
    views = read_cache(Path(settings.world).expanduser())
    if views.rgba.shape[-1] != settings.size:
        raise SettingError(
            f"the pictures in {settings.world} have {views.rgba.shape[-1]} pixels a side and training.size is "
            f"{settings.size}: write a cache of that size"
        )
    if any(map(is_held_out, views.attributes)):
        raise SettingError(f"{settings.world} holds held-out captions: train on a cache written with held_out=False")
    return views
