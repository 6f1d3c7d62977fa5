"""How the diffusion time of a step is drawn.

The window that a law draws from is annealed by schedules and reaches the law through `StepSettings`.
"""

import abc
from dataclasses import dataclass

import torch

from lodestone.arrays import Times

__all__ = ["AbstractTimeLaw", "TimeLaw", "UniformTimes"]


class AbstractTimeLaw(abc.ABC):
    """A law on the integers of a window of times."""

    @abc.abstractmethod
    def sample(self, count: int, window: tuple[int, int], rng: torch.Generator) -> Times:
        """One time for each sample, within `window`, both ends included."""


@dataclass(frozen=True)
class UniformTimes(AbstractTimeLaw):
    """`t ~ U{low..high}` (Poole et al. 2022, arXiv 2209.14988); `shared` gives all views of a step the same time."""

    shared: bool = False

    def sample(self, count: int, window: tuple[int, int], rng: torch.Generator) -> Times:
        drawn = torch.randint(window[0], window[1] + 1, (1 if self.shared else count,), generator=rng)
        return drawn.expand(count)


TimeLaw = UniformTimes
"""Every law that a run folder can store."""
