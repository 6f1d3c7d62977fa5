"""How the diffusion time of a step is drawn.

The window that a law draws from is annealed by schedules and reaches the law through `StepSettings`.
"""

import abc
from dataclasses import dataclass

import torch

from lodestone.arrays import Times
from lodestone.distillation.step_settings import StepSettings
from lodestone.priors.noise import NoiseSchedule

__all__ = ["AbstractTimeLaw", "UniformTimes"]


class AbstractTimeLaw(abc.ABC):
    """A law on the integers of a window of times."""

    @abc.abstractmethod
    def sample(self, count: int, step: StepSettings, schedule: NoiseSchedule, rng: torch.Generator) -> Times:
        """One time for each sample, within `step.window`, both ends included."""


@dataclass(frozen=True)
class UniformTimes(AbstractTimeLaw):
    """`t ~ U{low..high}` (Poole et al. 2022, arXiv 2209.14988); `shared` gives all views of a step the same time."""

    shared: bool = False

    def sample(self, count: int, step: StepSettings, schedule: NoiseSchedule, rng: torch.Generator) -> Times:
        low, high = step.window
        return torch.randint(low, high + 1, (1 if self.shared else count,), generator=rng).expand(count)
