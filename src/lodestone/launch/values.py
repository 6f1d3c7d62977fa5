"""From the values of a configuration to plain values of this library's settings.

A reader takes a `Setting` and returns what a run folder would store, or `Remarked` if it is not quite what is written.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lodestone.launch.document import Document, Entry
from lodestone.launch.interpolation import resolve
from lodestone.launch.systems import Guidance
from lodestone.optimize.experiment import Experiment

__all__ = [
    "Points",
    "Reader",
    "Remarked",
    "Setting",
    "flag",
    "is_number",
    "number",
    "numbers",
    "opposite",
    "pair",
    "points",
    "scaled",
    "step_at",
    "text",
    "whole",
]


@dataclass(frozen=True)
class Setting:
    """One value, and what it is read beside."""

    entry: Entry
    """Without references."""
    document: Document
    base: Experiment
    """What the value is laid over."""
    guidance: Guidance
    side: int
    """Of the prior's pictures, in pixels."""

    def beside(self, key: str) -> "Setting | None":
        """Another value of the same document; None if it is not given."""
        entry = self.document.given(key)
        if entry is None:
            return None
        return Setting(resolve(self.document, entry), self.document, self.base, self.guidance, self.side)


@dataclass(frozen=True)
class Remarked:
    """A value that is not quite what was written."""

    value: Any
    remark: str


Reader = Callable[[Setting], Any]


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(setting: Setting) -> float:
    """A number."""
    if not is_number(setting.entry.value):
        raise setting.entry.wrong("a number")
    return float(setting.entry.value)


def whole(setting: Setting) -> int:
    """A whole number."""
    value = setting.entry.value
    if not is_number(value) or value != int(value):
        raise setting.entry.wrong("a whole number")
    return int(value)


def flag(setting: Setting) -> bool:
    """True or false."""
    if not isinstance(setting.entry.value, bool):
        raise setting.entry.wrong("true or false")
    return setting.entry.value


def opposite(setting: Setting) -> bool:
    """True or false, the other way round."""
    return not flag(setting)


def text(setting: Setting) -> str:
    """Text."""
    if isinstance(setting.entry.value, list | dict):
        raise setting.entry.wrong("text, in quotes")
    words = "" if setting.entry.value is None else setting.entry.text
    if any("\ud800" <= letter <= "\udfff" for letter in words):
        raise setting.entry.wrong("text in UTF-8")
    return words


def numbers(setting: Setting) -> list[float]:
    """A list of numbers."""
    value = setting.entry.value
    if not isinstance(value, list) or not value or not all(map(is_number, value)):
        raise setting.entry.wrong("a list of numbers")
    return [float(part) for part in value]


def pair(setting: Setting) -> list[float]:
    """Two numbers, [low, high]."""
    value = setting.entry.value
    if not isinstance(value, list) or len(value) != 2 or not all(map(is_number, value)):
        raise setting.entry.wrong("two numbers, [low, high]")
    return [float(part) for part in value]


Points = dict[str, list[Any]]
"""The plain form of a `BrokenLine`."""


def points(setting: Setting) -> Points:
    """A number or [start_step, start, end, end_step]."""
    value = setting.entry.value
    if is_number(value):
        return {"steps": [0], "values": [float(value)]}
    expected = "a number or [start_step, start_value, end_value, end_step], with whole, rising steps"
    if not isinstance(value, list) or not all(map(is_number, value)) or len(value) < 3:
        raise setting.entry.wrong(expected)
    row = [0, *value] if len(value) == 3 else value
    steps, values = [row[0], *row[3::2]], [row[1], *row[2::2]]
    rising = all(a < b for a, b in pairwise(steps))
    if len(row) % 2 or not rising or not all(isinstance(step, int) for step in steps):
        raise setting.entry.wrong(expected)
    return {"steps": steps, "values": [float(one) for one in values]}


def scaled(line: Points, factor: float) -> Points:
    """The schedule times a number."""
    return {"steps": line["steps"], "values": [factor * value for value in line["values"]]}


def step_at(step: int, before: float, after: float) -> Points:
    """One value before a step and another from it on."""
    return {"steps": [step - 1, step], "values": [before, after]} if step > 0 else {"steps": [0], "values": [after]}
