"""Experiments in a form that holds whatever a configuration may say of them.

A run folder stores a recipe's name and values; the kind of a schedule or a weight is the recipe's. Threestudio lets any
number be scheduled and any weighting be chosen, so here every schedule is a `BrokenLine` and every weight a power.
"""

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from lodestone.distillation.weighting import PowerOfAlphaSigma, SigmaSquared, Uniform
from lodestone.schedules import AbstractSchedule, BrokenLine, Constant, Linear, Piecewise

__all__ = ["general"]

T = TypeVar("T")


def general(value: T) -> T:
    """The same with every schedule and weight in it in its general form; what has none stays as it is."""
    if isinstance(value, AbstractSchedule):
        return broken_line(value)  # type: ignore[return-value]
    if isinstance(value, SigmaSquared | Uniform):
        power = 2.0 if isinstance(value, SigmaSquared) else 0.0
        return PowerOfAlphaSigma(alpha_power=0.0, sigma_power=power)  # type: ignore[return-value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    parts: dict[str, Any] = {field.name: getattr(value, field.name) for field in fields(value)}
    changed = {name: new for name, part in parts.items() if (new := general(part)) is not part}
    return replace(value, **changed) if changed else value


def broken_line(schedule: AbstractSchedule) -> AbstractSchedule:
    """The schedule through its corners; any other kind stays as it is."""
    if isinstance(schedule, Constant):
        return BrokenLine((0,), (schedule.value,))
    if isinstance(schedule, Linear):
        if schedule.over <= 0:
            return step_line((0, schedule.begin), (schedule.start, schedule.end))
        return BrokenLine((schedule.begin, schedule.begin + schedule.over), (schedule.start, schedule.end))
    if isinstance(schedule, Piecewise):
        return step_line(schedule.steps, schedule.values)
    return schedule


def step_line(steps: tuple[int, ...], values: tuple[float, ...]) -> BrokenLine:
    """A schedule that jumps, which takes one step."""
    corners = {0: values[0]}
    for step, before, after in zip(steps[1:], values, values[1:], strict=False):
        corners |= {step - 1: before, step: after} if step > 0 else {step: after}
    return BrokenLine(tuple(corners), tuple(corners.values()))
