"""Every estimator on the same problems, with the same steps, the same optimizer and the same seeds.

Every seed is a descent of its own with its own slot, and its figure is a mean over the particles of that descent; the
spread in the tables is over seeds. An estimator comes with the settings that `recipes.estimators` has for the
empirical prior, its weight `w(t)` included; its window of times is `Descent.window` for all.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean, median_high, stdev

import torch

from lodestone.errors import SettingError
from lodestone.oracle.descent import Descent, Trajectory, descend, draw_gradients
from lodestone.oracle.measures import distances, judge, noise_to_signal
from lodestone.oracle.problems import Problem, named_problem
from lodestone.recipes.estimators import estimator_for

__all__ = ["SUMMARIZED", "Contest", "Outcome", "Summary", "compete", "descent_for", "summarize"]

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
    chosen, estimator = problem(contest.problem), estimator_for(contest.estimator, "empirical")
    plan = descent_for(chosen, contest.shortened)
    try:
        path = descend(estimator, chosen, plan, contest.seed)
        start = chosen.particles(1, torch.Generator().manual_seed(contest.seed))
        count = PICTURE_DRAWS if chosen.pictures else DRAWS
        noise = noise_to_signal(draw_gradients(estimator, chosen, start, MIDDLE, count, contest.seed))
    except SettingError as error:
        return str(error)
    reached = [float(distances(chosen, latents).amin(dim=1).mean()) for latents in path.positions]
    figures = dict(judge(chosen, path.end)) | costs(chosen, plan, path, reached) | {"noise": noise}
    shown = path.end[0].tolist() if chosen.pictures and contest.seed == 0 else None
    return Outcome(figures, path.calls, reached, shown)


def costs(chosen: Problem, plan: Descent, path: Trajectory, reached: Sequence[float]) -> dict[str, float]:
    """Denoiser calls for each particle: for a step, until arrival, and where the budget of SDS leads."""
    budget = BASIC_CALLS * plan.steps
    arrival = next((calls for calls, at in zip(path.calls, reached, strict=True) if at <= chosen.near), math.inf)
    within = [at for calls, at in zip(path.calls, reached, strict=True) if calls <= budget]
    return {"calls": path.calls[-1] / plan.steps, "arrival": arrival, "distance_at_budget": within[-1]}


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
