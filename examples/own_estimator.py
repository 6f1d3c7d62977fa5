"""An estimator of your own, outside the package: SDS whose noise term is dropped at high noise.

    PYTHONPATH=examples lodestone generate "a hamburger" --prior empirical --recipe own_estimator:own_estimator_gs

The class is the whole method; the recipe puts it into the usual experiment.
"""

from dataclasses import dataclass, replace

from lodestone.distillation.estimator import AbstractEstimator, Residual
from lodestone.distillation.noising import Noised
from lodestone.optimize.experiment import Experiment
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.guidance import guided, predict_each
from lodestone.priors.noise import over_batch
from lodestone.prompts.conditioning import ConditioningSet
from lodestone.recipes import sds_gs


@dataclass(frozen=True, kw_only=True)
class LateNoise(AbstractEstimator):
    """`g = w(t) (eps_null + s (eps_y - eps_null) - [t < b T] eps)`."""

    guidance_scale: float = 3.0
    below: float = 0.5
    """b, a fraction of the schedule."""

    def residual(self, denoiser: AbstractDenoiser, noised: Noised, conditioning: ConditioningSet) -> Residual:
        pair = [conditioning.positive, conditioning.baseline]
        positive, null = (p.noise for p in predict_each(denoiser, noised.noisy, noised.t, pair))
        late = over_batch((noised.t < self.below * denoiser.schedule.length).to(positive.dtype))
        value = guided(positive, null, self.guidance_scale) - late * noised.noise
        return Residual(value, {"positive": positive, "null": null}, denoiser_calls=2)


def own_estimator_gs(prompt: str, prior: str = "empirical") -> Experiment:
    """SDS without its noise term at high noise, on Gaussians."""
    return replace(sds_gs(prompt, prior), estimator=LateNoise())
