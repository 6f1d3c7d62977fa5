"""Stable score distillation."""

from dataclasses import dataclass
from enum import StrEnum

import torch

from lodestone.arrays import Latents, PerSample
from lodestone.distillation.control_variate import optimal_coefficient, projection
from lodestone.distillation.estimator import AbstractEstimator, Residual
from lodestone.distillation.scores import Scores
from lodestone.errors import SettingError
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.noise import over_batch
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["Coefficient", "StableScoreDistillation"]


class Coefficient(StrEnum):
    """How much of the noise the seeking term takes away."""

    PROJECTION = "projection"
    """`r` of each sample, the paper's estimate; close to c* in high dimension alone."""
    BATCH = "batch"
    """`c* = tr Cov(eps_y, eps) / d` over the batch (Eq. 7), which needs samples of one common time."""


@dataclass(frozen=True, kw_only=True)
class StableScoreDistillation(AbstractEstimator):
    """SSD: mode-disengaging above a time threshold M, variance-reduced mode-seeking below.

        t > M:  h = eps_y - eps_null
        t <= M: (||h|| / ||e||) e  with  e = eps_y - r eps,  r = <eps_y, eps> / ||eps||^2

    Tang et al. 2023, arXiv 2312.09305, Eq. 8-9 and Algorithm 1. Two denoiser calls for each sample.

    The paper only says that the scales are matched; the per-sample L2 norm over all latent entries is our reading, and
    `smallest_ratio` floors it, because `||h||` vanishes where both posteriors agree. M = 0 keeps h alone: CSD.
    """

    threshold: float = 0.2
    """M as a fraction of the schedule's length."""
    matched: bool = True
    """False leaves the seeking term at its own scale; the paper always matches."""
    smallest_ratio: float = 0.0
    coefficient: Coefficient = Coefficient.PROJECTION

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise SettingError(f"estimator.threshold is {self.threshold}: choose a fraction of the schedule in [0, 1]")

    def check(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, views: int) -> None:
        super().check(denoiser, conditioning, views)
        if self.coefficient is Coefficient.BATCH and views < 2:
            raise SettingError("estimator.coefficient is batch, but plan.views is 1: choose projection or more views")

    def residual(self, scores: Scores) -> Residual:
        pair = scores.pair()
        disengaging, positive = pair.difference, pair.positive
        estimate = projection if self.coefficient is Coefficient.PROJECTION else optimal_coefficient
        seeking = positive - over_batch(estimate(positive, scores.noise)) * scores.noise
        ratio = (norm(disengaging) / norm(seeking).clamp(min=1e-12)).clamp(min=self.smallest_ratio)
        ratio = ratio if self.matched else torch.ones_like(ratio)
        below = over_batch((scores.t < self.threshold * scores.schedule.length).to(positive.dtype))
        value = below * over_batch(ratio) * seeking + (1 - below) * disengaging
        return Residual(value, {"disengaging": disengaging, "seeking": seeking, "positive": positive})


def norm(latents: Latents) -> PerSample:
    """L2 norm over all entries of a sample."""
    return torch.linalg.vector_norm(latents.flatten(1), dim=1)
