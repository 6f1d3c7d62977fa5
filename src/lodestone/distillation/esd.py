"""Entropic score distillation."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.learned_adapter import LearnedAdapter
from lodestone.distillation.scores import Scores
from lodestone.distillation.slots import AbstractAdaptiveEstimator, denoising_loss, learning_draw
from lodestone.errors import check_range
from lodestone.priors.adapters import LowRankSettings
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["EntropicScoreDistillation"]


@dataclass(frozen=True, kw_only=True)
class EntropicScoreDistillation(AbstractGuidedEstimator, AbstractAdaptiveEstimator):
    """ESD: `g = w(t) (eps_s - l eps_q(x_t; y, c) - (1 - l) eps_q(x_t; y))`, VSD with an entropy over all views.

    q is VSD's learned score, with and without the camera c; `l = entropy_share` = 1 is VSD, 0 asks all views together
    to be as diverse as the prior. In training the camera is dropped from half of the batches. Wang et al. 2024,
    arXiv 2401.00909, s = 7.5, l = 0.5. Four denoiser calls and one training call for each sample.
    """

    guidance_scale: float = 7.5
    entropy_share: float = 0.5
    low_rank: LowRankSettings = LowRankSettings()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("estimator.entropy_share", self.entropy_share, 0.0, 1.0)

    def residual(self, scores: Scores) -> Residual:
        learned = scores.conditioning.learned
        assert learned is not None
        blind = replace(learned, time_offset=None)
        pair, (seeing, marginal) = scores.pair_and((scores.noised, learned), (scores.noised, blind))
        variational = self.entropy_share * seeing + (1 - self.entropy_share) * marginal
        value = self.guide(scores, pair.positive, pair.null) - variational
        return Residual(value, {"positive": pair.positive, "null": pair.null, "learned": variational})

    def slot(self, conditioning: ConditioningSet, denoiser: AbstractDenoiser, rng: torch.Generator) -> LearnedAdapter:
        return LearnedAdapter(denoiser, self.low_rank, rng, prompted=True, cameras=True)

    def auxiliary_loss(
        self, denoiser: AbstractDenoiser, latents: Tensor, conditioning: ConditioningSet, rng: torch.Generator
    ) -> Float[Tensor, ""]:
        assert conditioning.learned is not None
        dropped = float(torch.rand((), generator=rng)) < 0.5
        learned = replace(conditioning.learned, time_offset=None) if dropped else conditioning.learned
        rows, noised = learning_draw(denoiser, latents, self.learned_share, rng)
        return denoising_loss(denoiser, noised, learned.take(rows))
