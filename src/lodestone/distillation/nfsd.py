"""Noise-free score distillation."""

from dataclasses import dataclass
from typing import ClassVar

from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.scores import Scores
from lodestone.errors import SettingError, check_range
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.noise import over_batch
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["NEGATIVE_PROMPT", "NoiseFreeScoreDistillation"]

NEGATIVE_PROMPT = (
    "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark, low-resolution, gloomy"
)
"""The paper's negative prompt n."""


@dataclass(frozen=True, kw_only=True)
class NoiseFreeScoreDistillation(AbstractGuidedEstimator):
    """NFSD: `g = w(t) (d + s (eps_y - eps_null))` with d a direction towards pictures that holds no noise,

        t < M:   d = eps_null
        t >= M:  d = eps_null - eps_n .

    Katzir et al. 2023, arXiv 2310.17590; s = 7.5, M = 200 of 1000. Three denoiser calls for each sample, in one
    batch. The coefficients sum to 0 above M and to 1 below it, where the paper neglects the noise in `eps_null`.

    The authors' code was never released; the SDS-Bridge authors' copy asks for the null condition twice.
    """

    guidance_scale: float = 7.5
    threshold: float = 0.2
    """M as a fraction of the schedule's length."""
    allows_perp_neg: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_range("estimator.threshold", self.threshold, 0, 1)

    def check(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, views: int) -> None:
        super().check(denoiser, conditioning, views)
        if conditioning.negative is None:
            raise SettingError("prompt.negative is empty, but this estimator subtracts its score: say what to avoid")

    def residual(self, scores: Scores) -> Residual:
        conditioning = scores.conditioning
        assert conditioning.negative is not None
        positive, null, negative = scores.predict(conditioning.positive, conditioning.null, conditioning.negative)
        above = over_batch((scores.t >= self.threshold * scores.schedule.length).to(null.dtype))
        value = self.guide(scores, positive, null) - above * negative
        return Residual(value, {"positive": positive, "null": null, "negative": negative})
