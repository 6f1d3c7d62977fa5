"""Samples of a prior itself: what it can show before any 3D."""

from itertools import pairwise

import torch

from lodestone.arrays import Latents
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.priors.guidance import guided, predict_each
from lodestone.priors.noise import over_batch
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["sample"]


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
    times = torch.linspace(denoiser.schedule.length - 1, 0, steps + 1).round().long().tolist()
    for now, then in pairwise(times):
        t = torch.full((count,), now, device=device)
        prediction = guided_prediction(denoiser, noisy, t, conditioning, guidance_scale)
        following = torch.full_like(t, then)
        alpha, sigma = denoiser.schedule.alpha(following), denoiser.schedule.sigma(following)
        noisy = over_batch(alpha) * prediction.clean + over_batch(sigma) * prediction.noise
    return prediction.clean


def guided_prediction(
    denoiser: AbstractDenoiser, noisy: Latents, t: torch.Tensor, conditioning: ConditioningSet, scale: float
) -> Prediction:
    """Classifier-free guidance of the clean prediction, kept inside the pictures' range for pixel-space priors."""
    positive, null = predict_each(denoiser, noisy, t, [conditioning.positive, conditioning.null])
    clean = guided(positive.clean, null.clean, scale)
    return Prediction.of(PredictionType.CLEAN, clean, noisy, t, denoiser.schedule)
