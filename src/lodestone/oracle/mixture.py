"""SSD's illustration: two conditional modes, an unconditional one, and what each part of SDS does by itself.

Tang et al. 2023, arXiv 2312.09305, Fig. 3, whose coordinates, variances and weights are not published; those of
`problems.trap` and `problems.off_axis` are ours. Plain gradient descent, 32 particles from one point, one time for all
particles of a step, `t ~ U{20..980}`, `w(t) = sigma^2`. Parts of SDS:

    mode-seeking     eps_y               ends at the trapping point between the modes
    mode-disengaging h = eps_y - eps_null passes by a mode and goes on for ever
    SSD              h above t = M, eps_y - c* eps below, with or without the scale of h
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from lodestone.distillation.csd import ClassifierScoreDistillation
from lodestone.distillation.estimator import AbstractEstimator, Residual
from lodestone.distillation.lods import LearnedNullEmbedding
from lodestone.distillation.scores import Scores
from lodestone.distillation.ssd import Coefficient, StableScoreDistillation
from lodestone.distillation.timesteps import UniformTimes
from lodestone.oracle.descent import Descent, Rule, Trajectory, descend
from lodestone.oracle.measures import distances, log_density_gap
from lodestone.oracle.problems import Problem, off_axis, points, trap

__all__ = ["TOYS", "ModeSeeking", "Toy", "Track", "contestants", "follow"]

SHARED = UniformTimes(shared=True)


@dataclass(frozen=True, kw_only=True)
class ModeSeeking(AbstractEstimator):
    """`g = w(t) eps_y`, the part of SDS that climbs the density; for this illustration only."""

    def residual(self, scores: Scores) -> Residual:
        return Residual(scores.predict(scores.conditioning.positive)[0])


@dataclass(frozen=True)
class Toy:
    """A problem and how long it is descended."""

    problem: Problem
    steps: int
    large: int
    """A time at which the conditional modes have merged into one transient mode."""
    small: int
    """A time at which they are apart."""

    def descent(self, shortened: int | None = None) -> Descent:
        """Plain gradient descent at rate 0.02."""
        steps = self.steps if shortened is None else min(shortened, self.steps)
        return Descent(steps=steps, particles=32, rule=Rule.SGD, rate=0.02, record_every=20)


TOYS = {"trap": lambda: Toy(trap(), 4000, 600, 100), "off-axis": lambda: Toy(off_axis(), 1500, 600, 100)}
"""The two toys; the first is the main one."""


@dataclass(frozen=True)
class Contestant:
    """An estimator under its name in figures and tables, and where it starts if not at the toy's start."""

    estimator: AbstractEstimator
    start: tuple[float, float] | None = None


def contestants() -> Mapping[str, Contestant]:
    """Everything that is followed, by name."""

    def ssd(
        threshold: float, matched: bool, coefficient: Coefficient = Coefficient.BATCH, floor: float = 0.0
    ) -> Contestant:
        chosen = StableScoreDistillation(times=SHARED, threshold=threshold, matched=matched, coefficient=coefficient)
        return Contestant(replace(chosen, smallest_ratio=floor))

    disengaging = ClassifierScoreDistillation(times=SHARED)
    return {
        "mode-seeking": Contestant(ModeSeeking(times=SHARED)),
        "mode-disengaging": Contestant(disengaging),
        "mode-disengaging from the trap": Contestant(disengaging, (0.0, 0.0)),
        "SSD, M = 300, unmatched": ssd(0.3, matched=False),
        "SSD, M = 300, matched": ssd(0.3, matched=True),
        "SSD, M = 200, unmatched": ssd(0.2, matched=False),
        "SSD, M = 200, matched": ssd(0.2, matched=True),
        "SSD, M = 300, matched, ratio at least 0.5": ssd(0.3, matched=True, floor=0.5),
        "SSD, M = 300, unmatched, r of each sample": ssd(0.3, False, Coefficient.PROJECTION),
        "LODS, s = 7.5": Contestant(LearnedNullEmbedding(times=SHARED, guidance_scale=7.5, learning_rate=1e-2)),
    }


@dataclass(frozen=True)
class Track:
    """One descent in numbers."""

    steps: list[int]
    mean_path: list[list[float]]
    """Mean of the particles, where it was recorded."""
    particle_paths: list[list[list[float]]]
    """The first particles, for figures."""
    distance: list[float]
    """Of the mean to the nearest conditional mode, where it was recorded."""
    particle_distance: float
    """Mean over particles at the end; smaller than that of the mean where particles go to several modes."""
    gap: float
    """Log-density gap of the mean at the end, in nats for each dimension."""
    spread: float
    """Root mean square distance of the particles from their mean, at the end."""


def follow(toy: str, contestant: str, seed: int, shortened: int | None = None) -> Track:
    """Descends one toy with one contestant."""
    setting, chosen = TOYS[toy](), contestants()[contestant]
    problem = setting.problem
    if chosen.start is not None:
        problem = Problem(**{**vars(problem), "start": points([chosen.start])})
    return summarized(problem, descend(chosen.estimator, problem, setting.descent(shortened), seed))


def summarized(problem: Problem, path: Trajectory, shown: int = 6) -> Track:
    """The numbers of a descent in the plane."""
    positions = torch.stack(path.positions)
    means = positions.mean(1)
    end = path.end.flatten(1)
    return Track(
        steps=path.steps,
        mean_path=means.flatten(1).tolist(),
        particle_paths=positions[:, :shown].flatten(2).transpose(0, 1).tolist(),
        distance=distances(problem, means).amin(1).tolist(),
        particle_distance=float(distances(problem, path.end).amin(1).mean()),
        gap=float(log_density_gap(problem, means[-1:])),
        spread=float((end - end.mean(0)).square().sum(1).mean().sqrt()),
    )
