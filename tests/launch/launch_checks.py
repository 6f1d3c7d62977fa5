"""Helpers of these tests."""

import functools
from dataclasses import fields, is_dataclass

from lodestone.recipes.choose import build
from lodestone.schedules import BrokenLine

build_once = functools.cache(build)
"""A recipe's plan looks at each of some thousand steps, which takes a second."""


def differences(one, other, at=""):
    """Dotted names of the fields in which two experiments differ; straight lines agree if their corners do."""
    if isinstance(one, BrokenLine) and isinstance(other, BrokenLine):
        if any(abs(one(step) - other(step)) > 1e-9 for step in (*one.steps, *other.steps)):
            yield at
    elif is_dataclass(one) and type(one) is type(other):
        for field in fields(one):
            below = f"{at}.{field.name}" if at else field.name
            yield from differences(getattr(one, field.name), getattr(other, field.name), below)
    elif one != other:
        yield at


def threestudio_value(row, step):
    """A scheduled number by its definition: the last segment that has begun, and a straight line in it."""
    row = [0, *row] if len(row) == 3 else list(row)
    begin, value, segments = row[0], row[1], list(zip(row[2::2], row[3::2], strict=True))
    for after, end in segments:
        share = min(1.0, max(0.0, (step - begin) / (end - begin)))
        if step <= end or (after, end) == segments[-1]:
            return value + (after - value) * share
        begin, value = end, after
    raise AssertionError
