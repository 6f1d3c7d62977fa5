"""Reconstruction of several views together."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lodestone.arrays import Latents
from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.scores import Scores
from lodestone.distillation.timesteps import AbstractTimeLaw, UniformTimes
from lodestone.distillation.weighting import AbstractWeight, SigmaOverAlpha
from lodestone.errors import SettingError, check_range
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.guidance import rescaled
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["MultiViewReconstruction"]


@dataclass(frozen=True, kw_only=True)
class MultiViewReconstruction(AbstractGuidedEstimator):
    """MVDream's `g = x - x0`, x0 the guided clean prediction, rescaled by the deviation of each group of views:

        x0 = (r std(x0_y) / std(x0_s) + 1 - r) x0_s .

    Shi et al. 2023, arXiv 2308.16512; s = 50, r = 0.5, groups of 4 views, one t for all of them. Two denoiser
    calls for each sample. In terms of noise the bracket is `eps_s - eps` and the weight `sigma / alpha`. The window of
    times shrinks from [0.98, 0.98] to [0.02, 0.50] over 8,000 of 10,000 steps.

    With `views = 1` the rescaling is that of each picture, `guidance_rescale`.
    """

    times: AbstractTimeLaw = UniformTimes(shared=True)
    weight: AbstractWeight = SigmaOverAlpha()
    guidance_scale: float = 50.0
    guidance_rescale: float = 0.5
    views: int = 4
    """Consecutive samples that belong together."""

    def __post_init__(self) -> None:
        check_range("estimator.views", self.views, 1, 256)

    def check(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, views: int) -> None:
        super().check(denoiser, conditioning, views)
        if views % self.views:
            raise SettingError(f"estimator.views is {self.views} and plan.views {views}: make this a multiple of that")

    def residual(self, scores: Scores) -> Residual:
        pair, t = scores.pair(), scores.t
        if (t.view(-1, self.views) != t[:: self.views, None]).any():
            raise SettingError(f"estimator.views is {self.views}, but their times differ: choose times that are shared")
        plain, noisy = pair.guided(self.guidance_scale), self.together(scores.noised.noisy)
        parts = self.together(plain), self.together(pair.positive)
        joint = rescaled(parts[0], parts[1], noisy, t[:: self.views], scores.schedule, self.guidance_rescale)
        return Residual(joint.reshape(plain.shape) - scores.noise, {"positive": pair.positive, "null": pair.null})

    def together(self, latents: Latents) -> Float[Tensor, "groups channels h w"]:
        """The views of a group as the channels of one sample."""
        return latents.unflatten(0, (-1, self.views)).flatten(1, 2)
