"""Classifier score distillation."""

from dataclasses import dataclass

from lodestone.distillation.estimator import AbstractEstimator, Residual
from lodestone.distillation.scores import Scores

__all__ = ["ClassifierScoreDistillation"]


@dataclass(frozen=True, kw_only=True)
class ClassifierScoreDistillation(AbstractEstimator):
    """CSD: `g = w(t) (eps_y - eps_null)`, the score of the implicit classifier alone.

    Yu et al. 2023, arXiv 2310.19415, Eq. 7. Two denoiser calls for each sample. Alone it saturates colours at small
    times, where it climbs `p(x | y) / p(x)` off both manifolds.
    """

    def residual(self, scores: Scores) -> Residual:
        pair = scores.pair()
        return Residual(pair.difference, {"positive": pair.positive, "null": pair.null})
