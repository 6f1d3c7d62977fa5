"""Classifier score distillation."""

from dataclasses import dataclass

from lodestone.distillation.estimator import AbstractEstimator, Residual
from lodestone.distillation.noising import Noised
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.guidance import predict_each
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["ClassifierScoreDistillation"]


@dataclass(frozen=True, kw_only=True)
class ClassifierScoreDistillation(AbstractEstimator):
    """CSD: `g = w(t) (eps_y - eps_null)`, the score of the implicit classifier alone.

    Yu et al. 2023, arXiv 2310.19415, Eq. 7. Two denoiser calls for each sample. The paper's annealed negative prompt
    is not built here. Alone it saturates colours at small times, where it climbs `p(x | y) / p(x)` off both manifolds.
    """

    def residual(self, denoiser: AbstractDenoiser, noised: Noised, conditioning: ConditioningSet) -> Residual:
        pair = [conditioning.positive, conditioning.baseline]
        positive, null = (p.noise for p in predict_each(denoiser, noised.noisy, noised.t, pair))
        return Residual(positive - null, {"positive": positive, "null": null}, denoiser_calls=2)
