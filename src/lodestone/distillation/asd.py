"""Asynchronous score distillation."""

from dataclasses import dataclass

import torch

from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.noising import Noised, add_noise
from lodestone.distillation.scores import Scores
from lodestone.errors import check_range

__all__ = ["AsynchronousScoreDistillation"]


@dataclass(frozen=True, kw_only=True)
class AsynchronousScoreDistillation(AbstractGuidedEstimator):
    """ASD: `g = w(t) (eps_s(x_t; y) - eps(x_{t+d}; y))`, both with the same noise, `d = floor(u eta (t - t_min))`.

    Ma et al. 2024, ScaleDreamer, arXiv 2407.02040; s = 7.5, eta = 0.1, u uniform on [0, 1]. Three
    denoiser calls for each sample, in one batch. The frozen prior at a later time takes the place of the score that VSD
    learns: it too predicts the noise better than the prior at t. t_min is the lower end of the step's window.
    """

    guidance_scale: float = 7.5
    largest_shift: float = 0.1
    """eta; 0 leaves guidance alone, `(s - 1) (eps_y - eps_null)`."""

    def __post_init__(self) -> None:
        check_range("estimator.largest_shift", self.largest_shift, 0, 1)

    def residual(self, scores: Scores) -> Residual:
        pair, (later,) = scores.pair_and((self.later(scores), scores.conditioning.positive))
        value = self.guide(scores, pair.positive, pair.null) - later
        return Residual(value, {"positive": pair.positive, "null": pair.null, "later": later})

    def later(self, scores: Scores) -> Noised:
        """The same latents and noise at `t + d`, at most the schedule's last time."""
        t = scores.t
        share = self.largest_shift * torch.rand(len(t), generator=scores.rng).to(t.device)
        shift = (share * (t - scores.step.window[0]).clamp(min=0)).floor().long()
        shifted = (t + shift).clamp(max=scores.schedule.length - 1)
        return add_noise(scores.noised.clean, scores.noise, shifted, scores.schedule)
