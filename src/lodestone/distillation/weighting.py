"""The weight `w(t)` of a score gradient."""

import abc
from dataclasses import dataclass

import torch

from lodestone.arrays import PerSample, Times
from lodestone.priors.noise import NoiseSchedule

__all__ = ["AbstractWeight", "SigmaSquared", "Uniform"]


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
