"""Interval score matching."""

from dataclasses import dataclass

from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.inversion import DDIMInversion
from lodestone.distillation.noising import AbstractNoising
from lodestone.distillation.scores import Scores
from lodestone.distillation.timesteps import AbstractTimeLaw, UniformTimes
from lodestone.distillation.weighting import AbstractWeight, SigmaOverAlpha
from lodestone.errors import SettingError
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["IntervalScoreMatching"]


@dataclass(frozen=True, kw_only=True)
class IntervalScoreMatching(AbstractGuidedEstimator):
    """ISM: `g = w(t) (eps_null(x_t) + s (eps_y(x_t) - eps_null(x_t)) - eps_null(x_s))`.

    `x_s`, `s = t - delta`, is the last point before `x_t` of a DDIM inversion under the empty prompt. Liang et al.
    2023, LucidDreamer, arXiv 2311.11284. Strides of 200 times, at most 5, and delta = 50; w = sigma / alpha as in
    the authors' code. Two denoiser calls for each sample beside the inversion's 1 to 6, the last of which is
    `eps_null(x_s)`.

    The authors lower delta from 100 to its value in the first 1,500 steps and begin with the noise of time 0, whose
    mean they shift; here delta is constant and the inversion begins without noise.
    """

    guidance_scale: float = 7.5
    times: AbstractTimeLaw = UniformTimes(shared=True)
    noising: AbstractNoising = DDIMInversion(stride=200, most_steps=5, last_step=50)
    weight: AbstractWeight = SigmaOverAlpha()

    def check(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, views: int) -> None:
        super().check(denoiser, conditioning, views)
        if not self.noising.gives_earlier:
            raise SettingError("estimator.noising finds no earlier point, which ISM compares with: choose an inversion")

    def residual(self, scores: Scores) -> Residual:
        pair, earlier = scores.pair(), scores.noised.earlier
        assert earlier is not None
        value = self.guide(scores, pair.positive, pair.null) - earlier.noise
        return Residual(value, {"positive": pair.positive, "null": pair.null, "earlier": earlier.noise})
