"""Noise that is replaced by its own prediction."""

from dataclasses import dataclass, replace

import torch

from lodestone.arrays import Latents, Times
from lodestone.distillation.noising import AbstractNoising, Noised, add_noise, standard_normal
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["PredictedNoise"]


@dataclass(frozen=True)
class PredictedNoise(AbstractNoising):
    """Draws noise and replaces it by what the prior predicts for it under the prompt: an inversion in one step.

        eps' = eps + (1 - tau) (v_y(x_tau) - (eps - x)) = epshat_y(x_tau),   x_tau' = (1 - tau) x + tau eps'

    Yang et al. 2024, RFDS-Rev, arXiv 2406.03293. The right-hand side needs no flow, so that every prior can be asked.
    One denoiser call for each sample. RFDS-Rev is VFDS with this noise.
    """

    def __call__(
        self, clean: Latents, t: Times, denoiser: AbstractDenoiser, conditioning: ConditioningSet, rng: torch.Generator
    ) -> Noised:
        drawn = add_noise(clean, standard_normal(clean, rng), t, denoiser.schedule)
        predicted = denoiser(drawn.noisy, t, conditioning.positive).noise.to(clean.dtype)
        return replace(add_noise(clean, predicted, t, denoiser.schedule), denoiser_calls=1)
