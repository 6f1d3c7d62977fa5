"""How clean latents are noised; usable with every estimator."""

import abc
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lodestone.arrays import Latents, Times
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["AbstractNoising", "IndependentNoise", "Noised"]


@dataclass(frozen=True)
class Noised:
    """What a noising policy returns: `noisy = alpha_t clean + sigma_t noise`."""

    clean: Latents
    noisy: Latents
    noise: Latents
    t: Times
    earlier: "Noised | None" = None
    """The last point of an inversion before `noisy`; its `noise` and `clean` are what the network predicts there."""
    denoiser_calls: int = 0
    """Denoiser evaluations that the policy itself needed for the sample that needed most."""


@dataclass(frozen=True)
class AbstractNoising(abc.ABC):
    """A way to choose the noise of a step."""

    gives_earlier: ClassVar[bool] = False
    """Whether `Noised.earlier` is given."""

    @abc.abstractmethod
    def __call__(
        self,
        clean: Latents,
        t: Times,
        denoiser: AbstractDenoiser,
        conditioning: ConditioningSet,
        rng: torch.Generator,
    ) -> Noised:
        """Noises detached latents at the given times."""

    def check(self, denoiser: AbstractDenoiser) -> None:
        """Raises: SettingError if this policy cannot work with the denoiser's schedule."""
        return None

    def memory(self, latent_shape: tuple[int, int, int], rng: torch.Generator) -> Tensor | None:
        """What the policy keeps from step to step, stored in checkpoints; None for most."""
        return None


@dataclass(frozen=True)
class IndependentNoise(AbstractNoising):
    """Fresh `eps ~ N(0, I)` for every sample and step."""

    def __call__(
        self,
        clean: Latents,
        t: Times,
        denoiser: AbstractDenoiser,
        conditioning: ConditioningSet,
        rng: torch.Generator,
    ) -> Noised:
        return add_noise(clean, standard_normal(clean, rng), t, denoiser.schedule)


def standard_normal(like: Latents, rng: torch.Generator) -> Latents:
    """`eps ~ N(0, I)` of the same shape; drawn on the generator's own device."""
    return torch.randn(like.shape, generator=rng, dtype=like.dtype).to(like.device)


def add_noise(clean: Latents, noise: Latents, t: Times, schedule: NoiseSchedule) -> Noised:
    """`x_t = alpha_t x + sigma_t eps` in the dtype of x."""
    return Noised(clean, schedule.add_noise(clean, noise, t).to(clean.dtype), noise, t)
