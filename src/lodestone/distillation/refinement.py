"""Renderings pulled toward the prior's own pictures of them."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from lodestone.distillation.estimator import AbstractEstimator, ImageTerm, Residual
from lodestone.distillation.scores import Scores
from lodestone.distillation.timesteps import AbstractTimeLaw, LinearTimes
from lodestone.errors import SettingError, check_range
from lodestone.priors.sampling import descend

__all__ = ["ImageRefinement"]


@dataclass(frozen=True, kw_only=True)
class ImageRefinement(AbstractEstimator):
    """DreamGaussian's second stage: `||picture - decode(f(x_t))||^2`, f the prior's sampler from the time t down to 0.

    There is no score gradient: all is in the image term, a mean over the picture. Noising and denoising again is image
    to image sampling (SDEdit, arXiv 2108.01073), here by DDIM. Tang et al. 2023, arXiv 2309.16653, Sec. 3.4: the time
    falls in a straight line, from 0.2 of the schedule to 0.05; s = 100; 50 sampler steps for the whole schedule, hence
    10 to 3, with two denoiser calls in each.
    """

    times: AbstractTimeLaw = LinearTimes()
    guidance_scale: float = 100.0
    """s; 1 is the conditional model."""
    sampler_steps: int = 50
    """From pure noise; from t on as many as its share of the schedule, at least one."""
    allows_perp_neg: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_range("estimator.sampler_steps", self.sampler_steps, 1, 1000)

    def residual(self, scores: Scores) -> Residual:
        noisy, first = scores.noised.noisy, int(scores.t[0])
        if bool((scores.t != first).any()):
            raise SettingError("estimator.times differ within a batch: choose times that are shared")
        steps = max(1, round(self.sampler_steps * first / scores.schedule.length))
        target = descend(scores.denoiser, noisy, first, scores.conditioning, steps, self.guidance_scale)
        scores.denoiser_calls += 2 * steps
        return Residual(torch.zeros_like(noisy), {"refined": target}, ImageTerm(target, 1.0))
