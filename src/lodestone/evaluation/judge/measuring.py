"""How often a judge is right: on clean renderings and on degraded ones, by kind of scene and by category."""

from collections import Counter
from dataclasses import fields
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from lodestone.arrays import Images
from lodestone.data.worlds.cache import ViewSettings, render_scene
from lodestone.data.worlds.scenes import Request, Wanted, typical
from lodestone.data.worlds.things import Symmetry
from lodestone.data.worlds.world import World
from lodestone.evaluation.judge.degrading import clean, degrade
from lodestone.evaluation.judge.examples import KINDS, NONE, Answers, Examples
from lodestone.evaluation.judge.network import NOUNS, RELATIONS, Judge, Verdicts
from lodestone.evaluation.judge.quadrants import Quadrant, quadrant_of
from lodestone.evaluation.judge.relations import relation_is_right

__all__ = ["judge_all", "measure_categories", "measure_scenes", "oriented_among", "right_category"]

BATCH = 128
ORIENTED = 0.7
"""Least share of views whose quadrant is told rightly, for a category whose sides can be told apart."""
FALSE_FRONT = 0.15
"""Largest share of its views from other sides that are taken for the front."""


@torch.no_grad()
def judge_all(judge: Judge, pictures: Images) -> Verdicts:
    """Verdicts of any number of pictures."""
    parts = [judge(part) for part in pictures.split(BATCH)]
    return Verdicts(**{each.name: torch.cat([getattr(part, each.name) for part in parts]) for each in fields(Verdicts)})


def right_category(verdicts: Verdicts, answers: Answers) -> Bool[Tensor, " n"]:
    """One item: the likeliest category. Two: the two likeliest, in any order."""
    first, second = answers.nouns.unbind(dim=1)
    likeliest = verdicts.category.topk(2, dim=-1).indices
    both = (likeliest.sort(dim=-1).values == answers.nouns.sort(dim=-1).values).all(dim=-1)
    return torch.where(second == NONE, likeliest[:, 0] == first, both)


@torch.no_grad()
def right_colors(judge: Judge, verdicts: Verdicts, answers: Answers) -> Bool[Tensor, " m"]:
    """Of every item that has a colour."""
    right = []
    for noun, color in zip(answers.nouns.unbind(dim=1), answers.colors.unbind(dim=1), strict=True):
        known = color != NONE
        said = judge.color_of(verdicts.features[known], noun[known]).argmax(dim=-1)
        right.append(said == color[known])
    return torch.cat(right)


def right_quadrants(judge: Judge, verdicts: Verdicts, answers: Answers) -> Bool[Tensor, " m"]:
    """Of every picture with one item whose sides can be told apart."""
    oriented = torch.tensor([noun in judge.oriented for noun in NOUNS])[answers.nouns[:, 0]]
    rows = oriented & (answers.nouns[:, 1] == NONE)
    return verdicts.quadrant[rows].argmax(dim=-1) == quadrant_of(answers.azimuth[rows])


@torch.no_grad()
def right_relations(judge: Judge, verdicts: Verdicts, answers: Answers) -> Bool[Tensor, " m"]:
    """Of every picture with a relation."""
    known = answers.relation != NONE
    first, second = answers.nouns[known].unbind(dim=1)
    said = judge.relation_of(verdicts.features[known], first, second, answers.azimuth[known])
    right = [relation_is_right(said, each) for each in RELATIONS]
    return torch.stack(right, dim=1)[torch.arange(len(said)), answers.relation[known]] > 0


def share(right: Bool[Tensor, " m"]) -> float | None:
    """How many of them, to four digits; None of none."""
    return round(float(right.float().mean()), 4) if len(right) else None


def measure(judge: Judge, pictures: Images, answers: Answers) -> dict[str, Any]:
    """Shares of right answers to every question."""
    verdicts = judge_all(judge, pictures)
    return {
        "pictures": len(pictures),
        "category": share(right_category(verdicts, answers)),
        "color": share(right_colors(judge, verdicts, answers)),
        "quadrant": share(right_quadrants(judge, verdicts, answers)),
        "relation": share(right_relations(judge, verdicts, answers)),
    }


def measure_scenes(judge: Judge, examples: Examples, seed: int) -> dict[str, Any]:
    """By what was done to the pictures and by kind of scene."""
    rng = torch.Generator().manual_seed(seed)
    parts = examples.rgba.split(BATCH)
    seen = {"clean": map(clean, parts), "degraded": (degrade(part, rng) for part in parts)}
    found: dict[str, Any] = {}
    for name, pictures in seen.items():
        all_of_them = torch.cat(list(pictures))
        found[name] = {}
        for number, kind in enumerate(KINDS):
            rows = examples.answers.kind == number
            if rows.any():
                found[name][kind.value] = measure(judge, all_of_them[rows], examples.answers[rows])
    return found


def measure_categories(judge: Judge, world: World, settings: ViewSettings, objects: int) -> dict[str, dict[str, Any]]:
    """Every category alone on white: how often it and its sides are known, and what it is taken for most often."""
    return {noun: measure_category(judge, see_category(world, noun, settings, objects)) for noun in NOUNS}


def see_category(world: World, noun: str, settings: ViewSettings, objects: int) -> Examples:
    """Views of some objects."""
    samples = [world.make(Request(items=(Wanted(noun),)), number) for number in range(objects)]
    rgba, viewpoints = zip(*(render_scene(sample, settings) for sample in samples), strict=True)
    azimuth = torch.stack([each.azimuth for each in viewpoints])
    return Examples(torch.cat(rgba), Answers.of([sample.attributes for sample in samples], azimuth))


def measure_category(judge: Judge, examples: Examples) -> dict[str, Any]:
    """`false front`: the share of the views from other sides that are taken for the front."""
    verdicts, answers = judge_all(judge, clean(examples.rgba)), examples.answers
    side, said = quadrant_of(answers.azimuth), verdicts.quadrant.argmax(dim=-1)
    wrong = verdicts.category.argmax(dim=-1)[~right_category(verdicts, answers)]
    taken_for = Counter(NOUNS[int(index)] for index in wrong).most_common(1)
    return {
        "category": share(right_category(verdicts, answers)),
        "color": share(right_colors(judge, verdicts, answers)),
        "quadrant": share(said == side),
        "false front": share(said[side != Quadrant.FRONT] == Quadrant.FRONT),
        "taken for": taken_for[0][0] if taken_for else None,
    }


def oriented_among(categories: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """Categories with a front of their own whose sides the judge tells apart on the truth."""
    return tuple(
        noun
        for noun, found in categories.items()
        if typical(noun).symmetry is Symmetry.FRONT
        and found["quadrant"] >= ORIENTED
        and found["false front"] <= FALSE_FRONT
    )
