"""Noise schedules: how much of the picture and how much noise `x_t = alpha_t x + sigma_t eps` holds.

A schedule is a table over the times 0..T-1. Discrete DDPM priors keep their exact `alphas_cumprod`
(Ho et al. 2020, arXiv 2006.11239, Eq. 4); nothing is refitted.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.arrays import Latents, PerSample, Times

__all__ = ["NoiseSchedule"]


@dataclass(frozen=True)
class NoiseSchedule:
    """Tables of `alpha_t` and `sigma_t`; variance preserving where `alpha^2 + sigma^2 = 1`."""

    alphas: Float[Tensor, " t"]
    sigmas: Float[Tensor, " t"]

    @property
    def length(self) -> int:
        """T, the number of times."""
        return self.alphas.shape[0]

    def alpha(self, t: Times) -> PerSample:
        """Scale of the clean part at each time."""
        return self.alphas.to(t.device)[t]

    def sigma(self, t: Times) -> PerSample:
        """Standard deviation of the noise at each time."""
        return self.sigmas.to(t.device)[t]

    def add_noise(self, clean: Latents, noise: Latents, t: Times) -> Latents:
        """`x_t = alpha_t x + sigma_t eps`."""
        return over_batch(self.alpha(t)) * clean + over_batch(self.sigma(t)) * noise

    def index(self, fraction: float) -> int:
        """The time that stands at `fraction` of the schedule, 0 (clean) to 1 (noise)."""
        return min(self.length - 1, max(0, round(fraction * self.length)))

    @classmethod
    def from_alphas_cumprod(cls, alphas_cumprod: Float[Tensor, " t"]) -> "NoiseSchedule":
        """Variance-preserving schedule with `alpha^2 = alphas_cumprod`."""
        table = alphas_cumprod.double()
        return cls(table.sqrt().float(), (1 - table).sqrt().float())

    @classmethod
    def scaled_linear(cls, start: float = 0.00085, end: float = 0.012, length: int = 1000) -> "NoiseSchedule":
        """Stable Diffusion's schedule: `beta` linear in its square root (Rombach et al. 2022, arXiv 2112.10752)."""
        betas = torch.linspace(start**0.5, end**0.5, length, dtype=torch.float64).square()
        return cls.from_alphas_cumprod((1 - betas).cumprod(0))

    @classmethod
    def cosine(cls, length: int = 1000) -> "NoiseSchedule":
        """Nichol & Dhariwal 2021 (arXiv 2102.09672, Eq. 17), betas capped at 0.999."""
        bar = [math.cos((i / length + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(length + 1)]
        ratios = torch.tensor([max(b / a, 0.001) for a, b in pairwise(bar)], dtype=torch.float64)
        return cls.from_alphas_cumprod(ratios.cumprod(0))

    @classmethod
    def rectified_flow(cls, length: int = 1000, shift: float = 1.0) -> "NoiseSchedule":
        """`x_tau = (1 - tau) x + tau eps` (Liu et al. 2022, arXiv 2209.03003) at `length` times, `tau` in (0, 1].

        `shift` moves times towards noise, `tau' = shift tau / (1 + (shift - 1) tau)` (Esser et al. 2024,
        arXiv 2403.03206, Eq. 23).
        """
        tau = torch.arange(1, length + 1, dtype=torch.float64) / length
        tau = shift * tau / (1 + (shift - 1) * tau)
        return cls((1 - tau).float(), tau.float())

    @classmethod
    def from_scheduler(cls, scheduler: Any) -> "NoiseSchedule":
        """The exact table of a diffusers scheduler that has one."""
        return cls.from_alphas_cumprod(scheduler.alphas_cumprod)


def over_batch(values: PerSample) -> Float[Tensor, "b 1 1 1"]:
    """One number for each sample, shaped to multiply latents."""
    return values[:, None, None, None]
