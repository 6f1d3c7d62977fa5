"""Learn to optimize denoising scores: the null condition is learned along with the scene."""

import abc
from dataclasses import dataclass
from typing import ClassVar

import torch

from lodestone.distillation.estimator import Residual
from lodestone.distillation.learned_adapter import LearnedAdapter
from lodestone.distillation.learned_tokens import LearnedTokens
from lodestone.distillation.scores import Scores
from lodestone.distillation.slots import AbstractAdaptiveEstimator
from lodestone.errors import SettingError
from lodestone.priors.adapters import LowRankSettings
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["LearnedNullEmbedding", "LearnedNullLora"]


@dataclass(frozen=True, kw_only=True)
class AbstractLearnedNull(AbstractAdaptiveEstimator, abc.ABC):
    """LODS: `g = w(t) (eps_y - (s - 1)/s eps_a - eps/s)`, SDS divided by s with a learned null a.

    On the side: `min_a E ||eps_a(x_t', t') - eps'||^2` at independent `t' ~ U{0..T-1}`, on the current renderings,
    one step of a for each step of the scene. Yang et al. 2023, arXiv 2312.04820, Eq. 4 and 7, Algorithm 1.
    `s = inf` is allowed. Two denoiser calls and one training call for each sample.
    """

    guidance_scale: float = 1000.0
    allows_perp_neg: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.guidance_scale == 0:
            raise SettingError("estimator.guidance_scale is 0, by which LODS divides: choose 1 or more")

    def residual(self, scores: Scores) -> Residual:
        assert scores.conditioning.learned is not None
        positive, learned = scores.predict(scores.conditioning.positive, scores.conditioning.learned)
        share = 1 / self.guidance_scale
        value = positive - (1 - share) * learned - share * scores.noise
        return Residual(value, {"positive": positive, "learned": learned, "noise": scores.noise})


@dataclass(frozen=True, kw_only=True)
class LearnedNullEmbedding(AbstractLearnedNull):
    """LODS whose null condition is a token sequence, at first the negative prompt or the empty one.

    The authors allocate zeros and overwrite them at the first forward call.
    """

    def slot(self, conditioning: ConditioningSet, denoiser: AbstractDenoiser, rng: torch.Generator) -> LearnedTokens:
        return LearnedTokens(conditioning.baseline.take(torch.tensor([0], device=conditioning.null.tokens.device)))


@dataclass(frozen=True, kw_only=True)
class LearnedNullLora(AbstractLearnedNull):
    """LODS whose null branch has a LoRA (rank 4, strength 0.5), under the negative prompt.

    The authors' negative prompt is the literal "<new1>", which no tokenizer knows; both branches go through the
    network in one call here, because the strength belongs to each row.
    """

    learning_rate: float = 1e-5
    low_rank: LowRankSettings = LowRankSettings(scale=0.5)

    def slot(self, conditioning: ConditioningSet, denoiser: AbstractDenoiser, rng: torch.Generator) -> LearnedAdapter:
        return LearnedAdapter(denoiser, self.low_rank, rng, prompted=False)
