"""What the judge says of pictures, compared with what their caption asks for.

Of the pictures together, the mean of the log probabilities over all pictures decides:

    category   the likeliest category is the caption's; of two items, the two likeliest are theirs
    colour     of each item whose colour the caption says, the likeliest colour is that one
    relation   as `lodestone.evaluation.judge.relations` defines it

Of each picture alone, its own log probabilities decide, and the share of the pictures that are right is the figure.

Sides are asked for of central views only, those within 30 degrees of the middle of their quadrant (0, 90, 180 or 270
degrees of azimuth), since nobody can say which side a view of a corner shows:

    viewpoint  share of the central views whose likeliest quadrant is their own, if the first item is one oriented
               object
    Janus      the likeliest quadrant is the front in central views of two quadrants or more, if the caption asks for
               one oriented object and nothing else than its surroundings

Oriented are the categories whose quadrants the judge can tell on the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lodestone.arrays import Images
from lodestone.data.worlds.captions import Kind
from lodestone.data.worlds.requests import parse
from lodestone.data.worlds.scenes import Request
from lodestone.errors import SettingError
from lodestone.evaluation.judge.network import COLOR_NAMES, NOUNS, Verdicts
from lodestone.evaluation.judge.quadrants import Quadrant, quadrant_of
from lodestone.evaluation.judge.relations import relation_is_right

__all__ = ["Judgement", "PictureJudge", "Verdict", "central", "judge_pictures", "understood"]

CENTRAL = 30.0
"""Largest distance of a central view from the middle of its quadrant, in degrees."""
NAMED = 3
"""So many of the likeliest categories are kept by name."""


@runtime_checkable
class PictureJudge(Protocol):
    """What is asked of a judge; `lodestone.evaluation.judge.network.Judge` is one."""

    @property
    def oriented(self) -> tuple[str, ...]:
        """Categories whose sides it can tell apart."""

    def __call__(self, images: Images) -> Verdicts:
        """Looks at pictures."""

    def colors(self, verdicts: Verdicts, category: str) -> Float[Tensor, "v colors"]:
        """Log probabilities of each colour, of the item of a category."""

    def relations(
        self, verdicts: Verdicts, first: str, second: str, azimuth: Float[Tensor, " v"]
    ) -> Float[Tensor, "v relations"]:
        """Log probabilities of each relation."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Shares from 0 to 1 of what is right; None where the caption does not ask for it."""

    category: float | None = None
    color: float | None = None
    relation: float | None = None


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Pictures of one asset or of one caption, judged."""

    together: Verdict
    """By the mean over all pictures; 0 or 1."""
    alone: Verdict
    """Each picture by itself; the share that is right."""
    viewpoint: float | None
    janus: float | None
    """0 or 1."""
    seen: tuple[tuple[str, float], ...]
    """The likeliest categories of the pictures together, with their shares of the probability."""
    sides: tuple[Quadrant, ...]
    """The likeliest quadrant of each picture."""


def understood(caption: str) -> Request | None:
    """What a caption asks for; None if it is not of the procedural world."""
    try:
        return parse(caption)
    except SettingError:
        return None


@torch.no_grad()
def judge_pictures(
    judge: PictureJudge, images: Float[Tensor, "v h w 3"], request: Request | None, azimuth: Float[Tensor, " v"]
) -> Judgement:
    """Compares square pictures in [0, 1], seen from these azimuths, with what is asked for.

    Raises: SettingError if there are no pictures.
    """
    if not len(images):
        raise SettingError("there are no pictures to judge: give one or more")
    verdicts = judge(images.nan_to_num(0.0).clamp(0, 1).permute(0, 3, 1, 2))
    sides = verdicts.quadrant.argmax(dim=-1)
    likely, named = verdicts.category.mean(dim=0).softmax(dim=-1).topk(NAMED)
    return Judgement(
        together=verdict_of(judge, verdicts, request, azimuth, together=True),
        alone=verdict_of(judge, verdicts, request, azimuth, together=False),
        viewpoint=viewpoint(sides, azimuth) if has_side(judge, request) else None,
        janus=janus(sides, azimuth) if has_side(judge, request) and is_alone(request) else None,
        seen=tuple((NOUNS[index], value) for index, value in zip(named.tolist(), likely.tolist(), strict=True)),
        sides=tuple(map(Quadrant, sides.tolist())),
    )


def verdict_of(
    judge: PictureJudge, verdicts: Verdicts, request: Request | None, azimuth: Float[Tensor, " v"], *, together: bool
) -> Verdict:
    """Of the pictures together or of each alone; nothing of a caption that nobody understands."""
    if request is None:
        return Verdict()

    def asked(rows: Float[Tensor, "v k"]) -> Float[Tensor, "w k"]:
        return rows.mean(dim=0, keepdim=True) if together else rows

    nouns, relation = [item.noun for item in request.items], None
    if len(nouns) == 2 and request.relation is not None:
        relation = relation_is_right(asked(judge.relations(verdicts, nouns[0], nouns[1], azimuth)), request.relation)
    said = {item.noun: item.color for item in request.items if item.color is not None}
    colors = [is_color(asked(judge.colors(verdicts, noun)), color) for noun, color in said.items()]
    return Verdict(
        category=share(are_categories(asked(verdicts.category), nouns)),
        # The judge is asked for the colour of "the mug": of a red mug and a blue mug it cannot tell which is meant.
        color=share(torch.stack(colors).all(dim=0)) if colors and len(set(nouns)) == len(nouns) else None,
        relation=None if relation is None else share(relation > 0),
    )


def share(right: Bool[Tensor, " w"]) -> float:
    """The share of what is true."""
    return float(right.float().mean())


def are_categories(rows: Float[Tensor, "w categories"], nouns: Sequence[str]) -> Bool[Tensor, " w"]:
    """Whether the likeliest categories are these, in any order."""
    wanted = sorted({NOUNS.index(noun) for noun in nouns})
    likeliest = rows.topk(len(wanted)).indices.sort(dim=-1).values
    return (likeliest == torch.tensor(wanted)).all(dim=-1)


def is_color(rows: Float[Tensor, "w colors"], color: str) -> Bool[Tensor, " w"]:
    """Whether the likeliest colour is this one."""
    return rows.argmax(dim=-1) == COLOR_NAMES.index(color)


def has_side(judge: PictureJudge, request: Request | None) -> bool:
    """Whether the first item is one object whose sides can be told apart."""
    return request is not None and request.items[0].count == 1 and request.items[0].noun in judge.oriented


def is_alone(request: Request | None) -> bool:
    """Whether one object is asked for, with or without surroundings."""
    return request is not None and request.kind is not Kind.SEVERAL


def central(azimuth: Float[Tensor, " v"]) -> Bool[Tensor, " v"]:
    """Which views are near the middle of their quadrant."""
    return (torch.remainder(azimuth + 45, 90) - 45).abs() <= CENTRAL


def viewpoint(sides: Int[Tensor, " v"], azimuth: Float[Tensor, " v"]) -> float | None:
    """Share of the central views that show the side they should; None if there is none."""
    chosen = central(azimuth)
    return share((sides == quadrant_of(azimuth))[chosen]) if chosen.any() else None


def janus(sides: Int[Tensor, " v"], azimuth: Float[Tensor, " v"]) -> float | None:
    """1 if central views of several quadrants show a front; None if all central views are of one quadrant."""
    chosen, quadrants = central(azimuth), quadrant_of(azimuth)
    if len(quadrants[chosen].unique()) < 2:
        return None
    return float(len(quadrants[chosen & (sides == Quadrant.FRONT)].unique()) > 1)
