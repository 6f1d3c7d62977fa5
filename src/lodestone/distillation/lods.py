"""Learn to optimize denoising scores: the null condition is learned along with the scene."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.arrays import Latents
from lodestone.distillation.estimator import AbstractAdaptiveEstimator, AbstractSlot, Residual
from lodestone.distillation.noising import Noised
from lodestone.errors import SettingError
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.guidance import predict_each
from lodestone.prompts.conditioning import Conditioning, ConditioningSet

__all__ = ["LearnedNull", "LearnedNullEmbedding"]


class LearnedNull(AbstractSlot):
    """One learnable token sequence, shared by all views and times, that stands where the null condition was."""

    def __init__(self, start: Conditioning) -> None:
        super().__init__()
        self.start = start
        self.tokens = nn.Parameter(start.tokens.detach().clone())

    def fill(self, conditioning: ConditioningSet) -> ConditioningSet:
        null = replace(self.start, tokens=self.tokens).expand(len(conditioning.positive))
        return replace(conditioning, null=null)

    @torch.no_grad()
    def displacement(self) -> float:
        """L2 distance from the start: how much has been learned."""
        return float((self.tokens - self.start.tokens).norm())


@dataclass(frozen=True, kw_only=True)
class LearnedNullEmbedding(AbstractAdaptiveEstimator):
    """LODS with an embedding: `g = w(t) (eps_y - (s - 1)/s eps_a - eps/s)`, SDS divided by s with a learned null a.

    On the side: `min_a E ||eps_a(x_t', t') - eps'||^2` at independent `t' ~ U{0..T-1}`, on the current renderings,
    one step of a for each step of the scene. Yang et al. 2023, arXiv 2312.04820, Eq. 4 and 7, Algorithm 1.
    `s = inf` is allowed. Two denoiser calls and one training call for each sample.

    The authors allocate zeros and overwrite them at the first forward call; here a starts as the (negative or) null
    embedding. `learned_share` trains on a share of the batch only, which the paper does not; 1 is the paper.
    """

    guidance_scale: float = 1000.0
    learned_share: float = 1.0

    def __post_init__(self) -> None:
        if self.guidance_scale == 0:
            raise SettingError("estimator.guidance_scale is 0, by which LODS divides: choose 1 or more")

    def residual(self, denoiser: AbstractDenoiser, noised: Noised, conditioning: ConditioningSet) -> Residual:
        pair = [conditioning.positive, conditioning.null]
        positive, learned = (p.noise for p in predict_each(denoiser, noised.noisy, noised.t, pair))
        share = 1 / self.guidance_scale
        value = positive - (1 - share) * learned - share * noised.noise
        return Residual(value, {"positive": positive, "null": learned, "noise": noised.noise}, denoiser_calls=2)

    def slot(self, conditioning: ConditioningSet) -> LearnedNull:
        return LearnedNull(conditioning.baseline.take(torch.tensor([0], device=conditioning.null.tokens.device)))

    def auxiliary_loss(
        self, denoiser: AbstractDenoiser, latents: Latents, conditioning: ConditioningSet, rng: torch.Generator
    ) -> Float[Tensor, ""]:
        count = max(1, math.ceil(self.learned_share * len(latents)))
        rows = torch.randperm(len(latents), generator=rng)[:count].to(latents.device)
        t = torch.randint(denoiser.schedule.length, (count,), generator=rng).to(latents.device)
        noised = self.noising(latents.detach()[rows], t, denoiser.schedule, rng)
        predicted = denoiser(noised.noisy, t, conditioning.null.take(rows)).noise
        return (predicted - noised.noise).square().mean()
