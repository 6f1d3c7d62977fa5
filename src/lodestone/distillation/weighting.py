"""The weight `w(t)` of a score gradient.

Residuals are differences of noise. What a paper writes for clean pictures or for a flow's velocity is the same residual
with another weight:

    x - x0hat = (sigma / alpha) (epshat - eps)
    uhat - u = (epshat - eps) / alpha        on a flow, alpha = 1 - tau, u = eps - x
"""

import abc
from dataclasses import dataclass

import torch

from lodestone.arrays import PerSample, Times
from lodestone.priors.denoiser import SMALLEST
from lodestone.priors.noise import NoiseSchedule

__all__ = ["AbstractWeight", "InverseAlpha", "PowerOfAlphaSigma", "SigmaOverAlpha", "SigmaSquared", "Uniform"]


class AbstractWeight(abc.ABC):
    """A positive function of the diffusion time."""

    @abc.abstractmethod
    def __call__(self, t: Times, schedule: NoiseSchedule) -> PerSample:
        """The weight of each sample."""


@dataclass(frozen=True)
class SigmaSquared(AbstractWeight):
    """`w(t) = sigma_t^2` (DreamFusion, Poole et al. 2022, arXiv 2209.14988; `1 - alphas_cumprod` in code)."""

    def __call__(self, t: Times, schedule: NoiseSchedule) -> PerSample:
        return schedule.sigma(t).square()


@dataclass(frozen=True)
class Uniform(AbstractWeight):
    """`w(t) = 1`."""

    def __call__(self, t: Times, schedule: NoiseSchedule) -> PerSample:
        return torch.ones_like(schedule.sigma(t))


@dataclass(frozen=True)
class SigmaOverAlpha(AbstractWeight):
    """`w(t) = c sigma_t / alpha_t`: the residual of clean pictures, `c (x - x0hat)`.

    ISM (arXiv 2311.11284), MVDream (2308.16512), SDI (2405.15891), CFD (2501.05445); HiFA (2305.18766) with c = 0.05.
    """

    scale: float = 1.0

    def __call__(self, t: Times, schedule: NoiseSchedule) -> PerSample:
        return self.scale * schedule.sigma(t) / schedule.alpha(t).clamp(min=SMALLEST)


@dataclass(frozen=True)
class InverseAlpha(AbstractWeight):
    """`w(t) = 1 / alpha_t`: on a flow the residual of velocities (VFDS, arXiv 2408.05008; RFDS, 2406.03293)."""

    def __call__(self, t: Times, schedule: NoiseSchedule) -> PerSample:
        return 1 / schedule.alpha(t).clamp(min=SMALLEST)


@dataclass(frozen=True)
class PowerOfAlphaSigma(AbstractWeight):
    """`w(t) = alpha_t^p sigma_t^q`.

    Fantasia3D (arXiv 2303.13873) has `alpha sigma^2`, p = 1 and q = 2; DDS (2304.07090) leaves both to the user;
    the signal-to-noise ratio to the power k is p = 2 k, q = -2 k.
    """

    alpha_power: float
    sigma_power: float

    def __call__(self, t: Times, schedule: NoiseSchedule) -> PerSample:
        alpha, sigma = schedule.alpha(t).clamp(min=SMALLEST), schedule.sigma(t).clamp(min=SMALLEST)
        return alpha**self.alpha_power * sigma**self.sigma_power
