"""How clean latents are noised; usable with every estimator."""

import abc
from dataclasses import dataclass

import torch

from lodestone.arrays import Latents, Times
from lodestone.priors.noise import NoiseSchedule

__all__ = ["AbstractNoising", "IndependentNoise", "Noised", "Noising"]


@dataclass(frozen=True)
class Noised:
    """What a noising policy returns: `noisy = alpha_t clean + sigma_t noise`."""

    clean: Latents
    noisy: Latents
    noise: Latents
    t: Times


class AbstractNoising(abc.ABC):
    """A way to choose the noise of a step."""

    @abc.abstractmethod
    def __call__(self, clean: Latents, t: Times, schedule: NoiseSchedule, rng: torch.Generator) -> Noised:
        """Noises detached latents at the given times."""


@dataclass(frozen=True)
class IndependentNoise(AbstractNoising):
    """Fresh `eps ~ N(0, I)` for every sample and step."""

    def __call__(self, clean: Latents, t: Times, schedule: NoiseSchedule, rng: torch.Generator) -> Noised:
        noise = torch.randn(clean.shape, generator=rng, dtype=clean.dtype).to(clean.device)
        return Noised(clean, schedule.add_noise(clean, noise, t).to(clean.dtype), noise, t)


Noising = IndependentNoise
"""Every noising policy that a run folder can store."""
