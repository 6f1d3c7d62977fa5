"""Classifier score distillation."""

from dataclasses import dataclass

from lodestone.distillation.estimator import AbstractEstimator, Residual
from lodestone.distillation.scores import Scores
from lodestone.schedules import AbstractSchedule, Constant, Linear

__all__ = ["COARSE_SHARE", "FINE_SHARE", "NEGATIVE_PROMPT", "ClassifierScoreDistillation"]

NEGATIVE_PROMPT = "oversaturated color, ugly, tiling, low quality, noisy"
"""The paper's negative prompt."""

COARSE_SHARE = Linear(0.0, 1.0, over=5_000)
"""`negative_share` of the paper's coarse stage: from the null condition to the negative prompt."""

FINE_SHARE = Linear(1.0, 0.5, over=10_000)
"""`negative_share` of the paper's refining stage: half the way back."""


@dataclass(frozen=True, kw_only=True)
class ClassifierScoreDistillation(AbstractEstimator):
    """CSD: `g = w(t) (eps_y - k eps_n - (1 - k) eps_null)`; without a negative prompt `w(t) (eps_y - eps_null)`.

    Yu et al. 2023, arXiv 2310.19415, Eq. 7, with an annealed negative prompt n: the score of the implicit
    classifier alone. Two denoiser calls for each sample; three where k is below 1 and there is a negative prompt. The
    authors set the three coefficients one by one, to values whose sum is 0; one share says the same.

    Alone it saturates colours at small times, where it climbs `p(x | y) / p(x)` off both manifolds.
    """

    negative_share: AbstractSchedule = Constant(1.0)
    """k, how much of what is subtracted belongs to the negative prompt, where there is one."""

    def residual(self, scores: Scores) -> Residual:
        share = self.negative_share(scores.step.step)
        if scores.conditioning.negative is None or share == 1:
            pair = scores.pair()
            return Residual(pair.difference, {"positive": pair.positive, "null": pair.null})
        pair, (null,) = scores.pair_and((scores.noised, scores.conditioning.null))
        value = pair.positive - share * pair.null - (1 - share) * null
        return Residual(value, {"positive": pair.positive, "null": null, "negative": pair.null})
