"""Variational score distillation."""

import abc
from dataclasses import dataclass

import torch

from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.learned_adapter import LearnedAdapter
from lodestone.distillation.scores import Scores
from lodestone.distillation.slots import AbstractAdaptiveEstimator
from lodestone.priors.adapters import LowRankSettings
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["AbstractVariationalDistillation", "VariationalScoreDistillation"]


@dataclass(frozen=True, kw_only=True)
class AbstractVariationalDistillation(AbstractGuidedEstimator, AbstractAdaptiveEstimator, abc.ABC):
    """`g = w(t) (eps_null + s (eps_y - eps_null) - eps_q)`, q the learned score of the renderings themselves.

    Three denoiser calls for each sample, in one batch.
    """

    low_rank: LowRankSettings = LowRankSettings()
    cameras: bool = True
    """Whether q is told each view's camera, where the prior has a time embedding that can carry it."""

    def residual(self, scores: Scores) -> Residual:
        assert scores.conditioning.learned is not None
        pair, (learned,) = scores.pair_and((scores.noised, scores.conditioning.learned))
        value = self.guide(scores, pair.positive, pair.null) - learned
        return Residual(value, {"positive": pair.positive, "null": pair.null, "learned": learned})


@dataclass(frozen=True, kw_only=True)
class VariationalScoreDistillation(AbstractVariationalDistillation):
    """VSD: `g = w(t) (eps_null + s (eps_y - eps_null) - eps_q(x_t; y, c))`, q the score of the renderings themselves.

    On the side q, a LoRA of the prior under the prompt and the camera c, learns `min E ||eps_q(x_t'; y, c) - eps'||^2`
    on the current renderings. Wang et al. 2023, ProlificDreamer, arXiv 2305.16213, Eq. 9 and Algorithm 1; s = 7.5,
    learning rate 1e-4. Three denoiser calls and one training call for each sample.

    Several particles are several scenes of one batch, which share q. The authors' q is a LoRA on another checkpoint
    (the v-prediction one) and is guided itself with scale 1, which is no guidance; here it is a LoRA of the prior at
    hand, evaluated in the same call. They drop the camera in 10 % of the training calls for that guidance; we do not.
    """

    guidance_scale: float = 7.5

    def slot(self, conditioning: ConditioningSet, denoiser: AbstractDenoiser, rng: torch.Generator) -> LearnedAdapter:
        return LearnedAdapter(denoiser, self.low_rank, rng, prompted=True, cameras=self.cameras)
