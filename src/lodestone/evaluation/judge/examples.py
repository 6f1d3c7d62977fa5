"""Views of the world with the answers that a judge is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import nll_loss

from lodestone.arrays import Images
from lodestone.data.worlds.cache import RenderedViews
from lodestone.data.worlds.captions import Attributes, Item, Kind
from lodestone.evaluation.judge.network import COLOR_NAMES, NOUNS, RELATIONS, Judge
from lodestone.evaluation.judge.quadrants import quadrant_of

__all__ = ["KINDS", "NONE", "Answers", "Examples", "negative_log_likelihood"]

KINDS = tuple(Kind)
NONE = -1
"""An answer that there is not: a second item, a colour without a name, a relation."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Of n pictures; numbers of `KINDS`, `NOUNS`, `COLOR_NAMES` and `RELATIONS`, or `NONE`."""

    kind: Int[Tensor, " n"]
    nouns: Int[Tensor, "n 2"]
    colors: Int[Tensor, "n 2"]
    relation: Int[Tensor, " n"]
    azimuth: Float[Tensor, " n"]

    def __getitem__(self, rows: Int[Tensor, " m"] | Bool[Tensor, " n"]) -> "Answers":
        return Answers(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence["Answers"]) -> "Answers":
        """One after the other."""
        return cls(**{each.name: torch.cat([getattr(one, each.name) for one in parts]) for each in fields(cls)})

    @classmethod
    def of(cls, attributes: Sequence[Attributes], azimuth: Float[Tensor, "n v"]) -> "Answers":
        """The answers to v views of each scene."""
        scenes = cls(
            kind=torch.tensor([KINDS.index(each.kind) for each in attributes]),
            nouns=torch.tensor([pair([NOUNS.index(item.noun) for item in each.items]) for each in attributes]),
            colors=torch.tensor([pair([color_of(item) for item in each.items]) for each in attributes]),
            relation=torch.tensor([RELATIONS.index(each.relation) if each.relation else NONE for each in attributes]),
            azimuth=azimuth[:, 0],
        )
        rows = torch.arange(len(attributes)).repeat_interleave(azimuth.shape[1])
        return replace(scenes[rows], azimuth=azimuth.flatten())


def color_of(item: Item) -> int:
    """The number of a colour that has a name, said or not."""
    return COLOR_NAMES.index(item.color) if item.color else NONE


def pair(numbers: list[int]) -> list[int]:
    """Of the first two items."""
    return [*numbers, NONE][:2]


@dataclass(frozen=True)
class Examples:
    """Pictures and answers; row i of either belongs to picture i."""

    rgba: UInt8[Tensor, "n 4 h w"]
    """Straight colour and mask."""
    answers: Answers

    def __len__(self) -> int:
        return len(self.rgba)

    @classmethod
    def of(cls, views: RenderedViews) -> "Examples":
        """Every view of every scene."""
        return cls(views.rgba.flatten(0, 1), Answers.of(views.attributes, views.azimuth))

    def draw(self, count: int, rng: torch.Generator) -> Int[Tensor, " b"]:
        """Rows of a batch, in which each kind of scene is as likely: several objects are harder, and fewer."""
        kind = self.answers.kind
        return torch.multinomial(1 / kind.bincount()[kind], count, replacement=True, generator=rng)

    @classmethod
    def joined(cls, parts: Sequence["Examples"]) -> "Examples":
        """One after the other."""
        return cls(torch.cat([each.rgba for each in parts]), Answers.joined([each.answers for each in parts]))


def negative_log_likelihood(judge: Judge, images: Images, answers: Answers) -> Float[Tensor, ""]:
    """The sum over all questions that a picture has answers to, divided by the number of pictures.

    Category and quadrant are one answer, and of two items half of it each.
    """
    joint, features = judge.look(images)
    first, second = answers.nouns.unbind(dim=1)
    other = torch.where(second == NONE, first, second)
    side = joint[torch.arange(len(images)), :, quadrant_of(answers.azimuth)]
    total = (nll_loss(side, first) + nll_loss(side, other)) / 2
    for noun, color in ((first, answers.colors[:, 0]), (other, answers.colors[:, 1])):
        total = total + over_known(judge.color_of(features, noun), color)
    return total + over_known(judge.relation_of(features, first, other, answers.azimuth), answers.relation)


def over_known(log_probabilities: Float[Tensor, "n k"], answer: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """The mean over all pictures, where those without an answer count 0."""
    return nll_loss(log_probabilities, answer, ignore_index=NONE, reduction="sum") / len(answer)
