"""Score distillation sampling."""

from dataclasses import dataclass

from lodestone.distillation.estimator import AbstractEstimator, Residual
from lodestone.distillation.noising import Noised
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.guidance import guided, predict_each
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["ScoreDistillation"]


@dataclass(frozen=True, kw_only=True)
class ScoreDistillation(AbstractEstimator):
    """SDS: `g = w(t) (eps_null + s (eps_y - eps_null) - eps)`.

    Poole et al. 2022, DreamFusion, arXiv 2209.14988, Eq. 3. Two denoiser calls for each sample.

    The paper's guidance weight 100 is `s = 101` here, because it writes `(1 + w) eps_y - w eps_null`.
    """

    guidance_scale: float = 100.0

    def residual(self, denoiser: AbstractDenoiser, noised: Noised, conditioning: ConditioningSet) -> Residual:
        pair = [conditioning.positive, conditioning.baseline]
        positive, null = (p.noise for p in predict_each(denoiser, noised.noisy, noised.t, pair))
        value = guided(positive, null, self.guidance_scale) - noised.noise
        return Residual(value, {"positive": positive, "null": null, "noise": noised.noise}, denoiser_calls=2)
