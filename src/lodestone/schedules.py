"""Frozen schedules: a step of the optimization in, a number out. Nothing annealed in Lodestone is anything else."""

import abc
import bisect
import math
from dataclasses import dataclass
from itertools import pairwise

from lodestone.errors import SettingError

__all__ = ["AbstractSchedule", "BrokenLine", "Constant", "Cosine", "Linear", "Piecewise", "Schedule"]


class AbstractSchedule(abc.ABC):
    """A number that depends on the step alone."""

    @abc.abstractmethod
    def __call__(self, step: int) -> float:
        """The value at `step` (0 is the first)."""


@dataclass(frozen=True)
class Constant(AbstractSchedule):
    """Always `value`."""

    value: float

    def __call__(self, step: int) -> float:
        return self.value


@dataclass(frozen=True)
class Linear(AbstractSchedule):
    """From `start` to `end` in a straight line over `over` steps after step `begin`; flat before and after."""

    start: float
    end: float
    over: int
    begin: int = 0

    def __call__(self, step: int) -> float:
        return self.start + (self.end - self.start) * fraction(step, self.begin, self.over)


@dataclass(frozen=True)
class Cosine(AbstractSchedule):
    """From `start` to `end` along half a cosine over `over` steps after step `begin`; flat before and after."""

    start: float
    end: float
    over: int
    begin: int = 0

    def __call__(self, step: int) -> float:
        eased = (1 - math.cos(math.pi * fraction(step, self.begin, self.over))) / 2
        return self.start + (self.end - self.start) * eased


@dataclass(frozen=True)
class Piecewise(AbstractSchedule):
    """`values[i]` from step `steps[i]` on; `steps` rises and begins with 0."""

    steps: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.steps, self.steps[1:], strict=False))
        if len(self.steps) != len(self.values) or self.steps[:1] != (0,) or not rising:
            raise SettingError(
                f"a piecewise schedule has steps {self.steps} and values {self.values}: "
                "give as many steps as values, rising from 0"
            )

    def __call__(self, step: int) -> float:
        return self.values[max(0, bisect.bisect_right(self.steps, step) - 1)]


@dataclass(frozen=True)
class BrokenLine(AbstractSchedule):
    """`values[i]` at step `steps[i]`, straight lines in between, flat before and after; `steps` rises."""

    steps: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.steps or len(self.steps) != len(self.values) or any(a >= b for a, b in pairwise(self.steps)):
            raise SettingError(
                f"a schedule has steps {self.steps} and values {self.values}: give as many steps as values, rising"
            )

    def __call__(self, step: int) -> float:
        index = bisect.bisect_right(self.steps, step)
        if index in (0, len(self.steps)):
            return self.values[max(0, index - 1)]
        (begin, end), (low, high) = self.steps[index - 1 : index + 1], self.values[index - 1 : index + 1]
        return low + (high - low) * (step - begin) / (end - begin)


def fraction(step: int, begin: int, over: int) -> float:
    """How much of the stretch `[begin, begin + over]` is behind us, in [0, 1]."""
    return min(1.0, max(0.0, (step - begin) / over)) if over > 0 else float(step >= begin)


Schedule = Constant | Linear | Cosine | Piecewise | BrokenLine
"""Every schedule that a run folder can store."""
