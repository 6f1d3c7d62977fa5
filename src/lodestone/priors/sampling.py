"""Samples of a prior itself: what it can show before any 3D."""

from itertools import pairwise

import torch

from lodestone.arrays import Latents
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.priors.guidance import guided, predict_each
from lodestone.priors.noise import over_batch
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["descend", "refine", "sample"]


@torch.no_grad()
def sample(
    denoiser: AbstractDenoiser,
    conditioning: ConditioningSet,
    *,
    steps: int,
    guidance_scale: float,
    rng: torch.Generator,
) -> Latents:
    """Deterministic DDIM sampling (Song et al. 2020, arXiv 2010.02502, Eq. 12 with eta = 0).

    Args:
        conditioning: of the batch; one sample is drawn for each row.
        steps: denoiser calls, evenly spaced over the schedule.
        guidance_scale: 1 is the conditional model.
    """
    count, device = len(conditioning.positive), conditioning.positive.tokens.device
    noisy = torch.randn((count, *denoiser.latent_shape), generator=rng).to(device)
    return descend(denoiser, noisy, denoiser.schedule.length - 1, conditioning, steps, guidance_scale)


@torch.no_grad()
def refine(
    denoiser: AbstractDenoiser,
    latents: Latents,
    conditioning: ConditioningSet,
    *,
    strength: float,
    steps: int,
    guidance_scale: float,
    rng: torch.Generator,
) -> Latents:
    """Latents noised to `strength` (0 to 1) of the schedule and denoised again.

    SDEdit, Meng et al. 2021, arXiv 2108.01073.
    """
    first = denoiser.schedule.index(strength)
    t = torch.full((len(latents),), first, device=latents.device)
    noise = torch.randn(latents.shape, generator=rng, dtype=latents.dtype).to(latents.device)
    noisy = denoiser.schedule.add_noise(latents, noise, t).to(latents.dtype)
    return descend(denoiser, noisy, first, conditioning, steps, guidance_scale)


def descend(
    denoiser: AbstractDenoiser,
    noisy: Latents,
    first: int,
    conditioning: ConditioningSet,
    steps: int,
    guidance_scale: float,
) -> Latents:
    """DDIM steps from noisy latents at the time `first` down to 0; the last clean prediction."""
    times = torch.linspace(first, 0, steps + 1).round().long().tolist()
    for now, then in pairwise(times):
        t = torch.full((len(noisy),), now, device=noisy.device)
        prediction = guided_prediction(denoiser, noisy, t, conditioning, guidance_scale)
        following = torch.full_like(t, then)
        alpha, sigma = denoiser.schedule.alpha(following), denoiser.schedule.sigma(following)
        noisy = (over_batch(alpha) * prediction.clean + over_batch(sigma) * prediction.noise).to(noisy.dtype)
    return prediction.clean


def guided_prediction(
    denoiser: AbstractDenoiser, noisy: Latents, t: torch.Tensor, conditioning: ConditioningSet, scale: float
) -> Prediction:
    """Classifier-free guidance of the clean prediction, kept inside the pictures' range for pixel-space priors."""
    positive, null = predict_each(denoiser, noisy, t, [conditioning.positive, conditioning.null])
    clean = guided(positive.clean, null.clean, scale)
    return Prediction.of(PredictionType.CLEAN, clean, noisy, t, denoiser.schedule)
