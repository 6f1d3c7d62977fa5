"""Fits the refiner alone, behind a network that stays as it is: it learns faster while nothing before it moves."""

import torch

from lodestone.data.training.denoising import NoisyBatch, add_noise, denoising_losses
from lodestone.data.training.mixture import Mixture, Words
from lodestone.data.training.state import Training

__all__ = ["fit_refiner"]

LEARNING_RATE = 2e-3


def fit_refiner(training: Training, mixture: Mixture, words: Words) -> float:
    """So many steps of the refiner as the settings say, at a rate that falls to zero; returns the last mean loss."""
    steps, refiner = training.settings.refiner_steps, training.network.refiner
    rng = torch.Generator().manual_seed(training.settings.seed)
    optimizer = torch.optim.Adam(refiner.parameters(), lr=LEARNING_RATE)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=max(1, steps))
    training.network.unet.requires_grad_(False)
    recent = 0.0
    for step in range(steps):
        loss = denoising_losses(training.network, drawn(training, mixture, words, rng))[1].mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        falling.step()
        recent += (float(loss.detach()) - recent) / min(step + 1, 50)
    training.network.unet.requires_grad_(True)
    training.forget_average()
    return recent


def drawn(training: Training, mixture: Mixture, words: Words, rng: torch.Generator) -> NoisyBatch:
    """Noisy pictures of the mixture."""
    batch = mixture.batch(rng, words, training.device)
    return add_noise(training.draft, batch, training.alphas_cumprod, training.settings, rng)
