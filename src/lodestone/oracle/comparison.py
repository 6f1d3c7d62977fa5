"""Every estimator on the same problems, with the same steps, the same optimizer and the same seeds.

Every seed is a descent of its own with its own slot, and its figure is a mean over the particles of that descent; the
spread in the tables is over seeds. An estimator comes with the settings that `recipes.estimators` has for the
empirical prior, its weight `w(t)` included; its window of times is `Descent.window` for all.

The budget is fixed twice. At equal steps, every figure but one; at equal denoiser calls, `distance_at_budget`: an
estimator that spends more than SDS in a step descends a second time with as many steps as SDS's calls allow. (Cutting
the longer descent short would be unfair where times fall with the steps.)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean, median_high, stdev

import torch

from lodestone.arrays import Latents
from lodestone.distillation.estimator import AbstractEstimator
from lodestone.errors import SettingError
from lodestone.oracle.descent import Descent, Trajectory, descend, draw_gradients, mixed
from lodestone.oracle.measures import distances, judge, noise_to_signal
from lodestone.oracle.problems import Problem, named_problem
from lodestone.oracle.variants import contestant

__all__ = [
    "REFERENCES",
    "SUMMARIZED",
    "Contest",
    "Outcome",
    "Summary",
    "compete",
    "descent_for",
    "reference",
    "summarize",
]

DRAWS, PICTURE_DRAWS = 1024, 64
"""Gradients at one start from which the ratio of noise to signal is estimated."""

MIDDLE = 500
"""The time of those gradients, the same for estimators that draw times and for those whose times fall."""

BASIC_CALLS = 2
"""Denoiser calls of SDS for each step: the budget of the comparison at equal calls is what SDS spends."""


@dataclass(frozen=True)
class Contest:
    """One estimator on one problem from one seed."""

    problem: str
    estimator: str
    seed: int
    shortened: int | None = None
    """Fewer steps than the problem's own, for tests."""


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    figures: Mapping[str, float]
    calls: list[float]
    distances: list[float]
    """Mean distance of the particles to the nearest conditional mode, at each number of calls."""
    picture: list[list[list[float]]] | None = None
    """The first particle at the end, where it is a picture: channels, rows, columns."""


@cache
def problem(name: str) -> Problem:
    """A problem, made once for each process."""
    return named_problem(name)


def descent_for(chosen: Problem, shortened: int | None = None) -> Descent:
    """400 steps of Adam at 0.01 with 8 particles in the plane; 120 at 0.03 with 4 particles for pictures."""
    plan = Descent(steps=120, particles=4, rate=0.03) if chosen.pictures else Descent(steps=400, rate=0.01)
    return plan if shortened is None else replace(plan, steps=min(shortened, plan.steps))


def compete(contest: Contest) -> Outcome | str:
    """Descends once; the reason, if the estimator cannot work here."""
    chosen, estimator = problem(contest.problem), contestant(contest.estimator)
    plan = descent_for(chosen, contest.shortened)
    try:
        path = descend(estimator, chosen, plan, contest.seed)
        affordable = end_within_budget(estimator, chosen, plan, path, contest.seed)
        start = chosen.particles(1, torch.Generator().manual_seed(contest.seed))
        count = PICTURE_DRAWS if chosen.pictures else DRAWS
        noise = noise_to_signal(draw_gradients(estimator, chosen, start, MIDDLE, count, contest.seed))
    except SettingError as error:
        return str(error)
    reached = [mean_distance(chosen, latents) for latents in path.positions]
    arrival = next((calls for calls, at in zip(path.calls, reached, strict=True) if at <= chosen.near), math.inf)
    figures = dict(judge(chosen, path.end)) | {
        "distance_at_budget": mean_distance(chosen, affordable),
        "noise": noise,
        "calls": path.calls[-1] / plan.steps,
        "arrival": arrival,
    }
    shown = path.end[0].tolist() if chosen.pictures and contest.seed == 0 else None
    return Outcome(figures, path.calls, reached, shown)


def mean_distance(chosen: Problem, latents: Latents) -> float:
    """Mean over particles of the distance to the nearest conditional mode."""
    return float(distances(chosen, latents).amin(dim=1).mean())


def end_within_budget(
    estimator: AbstractEstimator, chosen: Problem, plan: Descent, path: Trajectory, seed: int
) -> Latents:
    """Where the particles end on the calls that SDS spends in this plan, in fewer steps if a step costs more."""
    share = BASIC_CALLS * plan.steps / path.calls[-1]
    if share >= 1:
        return path.end
    return descend(estimator, chosen, replace(plan, steps=max(1, int(share * plan.steps))), seed).end


REFERENCES = ("the start", "exact samples")
"""Figures without any descent: where everybody begins, and what a perfect sampler of `p(x | y)` would give."""


def reference(kind: str, name: str, seed: int) -> Mapping[str, float]:
    """The figures of one of `REFERENCES` for as many particles as a descent has."""
    chosen = problem(name)
    count, rng = descent_for(chosen).particles, torch.Generator().manual_seed(mixed(seed, -1))
    return judge(chosen, chosen.particles(count, rng) if kind == REFERENCES[0] else chosen.samples(count, rng))


@dataclass(frozen=True)
class Summary:
    """One figure over all seeds."""

    mean: float | None
    """None if no value is finite."""
    std: float | None
    """Over seeds; None for fewer than two finite values."""
    median: float | None
    """None if infinite, which counts as larger than everything."""
    finite: int
    """How many of the values are finite; mean and std are theirs."""
    values: list[float | None]


SUMMARIZED = (
    "distance",
    "distance_at_budget",
    "arrived",
    "gap",
    "coverage",
    "entropy",
    "saturation",
    "contrast",
    "noise",
    "calls",
    "arrival",
)
"""Figures of an outcome, in the order of the tables; those of pictures are missing in the plane."""


def summarize(values: Sequence[float]) -> Summary:
    """Mean, spread and median over seeds."""
    finite = [value for value in values if math.isfinite(value)]
    middle = median_high(values)
    return Summary(
        mean=fmean(finite) if finite else None,
        std=stdev(finite) if len(finite) > 1 else None,
        median=middle if math.isfinite(middle) else None,
        finite=len(finite),
        values=[value if math.isfinite(value) else None for value in values],
    )
