"""References in a configuration: `${data.width}` and functions such as `${cmaxgt0:${system.loss.lambda_orient}}`."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from lodestone.errors import SettingError
from lodestone.launch.document import MISSING, Document, Entry, read_word

__all__ = ["resolve"]

LONGEST = 10_000
MOST_LOOKUPS = 1_000


def largest(value: Any) -> float:
    """Of the values that a scheduled number takes."""
    if not isinstance(value, list):
        return float(value)
    points = value if len(value) != 3 else [0, *value]
    return max(points[1], *points[2::2]) if len(points) >= 4 else math.nan


def number(value: Any) -> Any:
    """The value if it is a number.

    Raises: TypeError if it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "add": (2, lambda a, b: number(a) + number(b)),
    "sub": (2, lambda a, b: number(a) - number(b)),
    "mul": (2, lambda a, b: number(a) * number(b)),
    "div": (2, lambda a, b: number(a) / number(b)),
    "idiv": (2, lambda a, b: number(a) // number(b)),
    "not": (1, lambda a: not a),
    "gt0": (1, lambda a: a > 0),
    "cmaxgt0": (1, lambda a: largest(a) > 0),
    "cmaxgt0orcmaxgt0": (2, lambda a, b: largest(a) > 0 or largest(b) > 0),
    "rmspace": (2, lambda text, instead: str(text).replace(" ", str(instead))),
    "basename": (1, lambda path: PurePosixPath(str(path)).name),
    "tuple2": (1, lambda a: [a, a]),
    "calc_exp_lr_decay_rate": (2, lambda factor, steps: number(factor) ** (1.0 / number(steps))),
}
"""Threestudio's, by name, with the number of their arguments."""


def resolve(document: Document, entry: Entry) -> Entry:
    """The entry with every reference replaced by what it means.

    Raises: SettingError if one leads nowhere, or in a circle.
    """
    value = expand(document, entry, entry.value, (entry.key,), iter(range(MOST_LOOKUPS)))
    changed = value != entry.value or type(value) is not type(entry.value)
    return replace(entry, value=value, text=str(value)) if changed else entry


def expand(document: Document, entry: Entry, value: Any, path: tuple[str, ...], budget: Iterator[int]) -> Any:
    """A value without references; text that is one reference alone becomes whatever that is."""
    if isinstance(value, list):
        return [expand(document, entry, part, path, budget) for part in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    parts: list[Any] = []
    for piece in pieces(value, entry):
        inside = piece.startswith("${")
        parts.append(meaning(document, entry, piece[2:-1], path, budget) if inside else piece)
    if len(parts) == 1:
        return parts[0]
    text = "".join(str(part) for part in parts)
    if len(text) > LONGEST:
        raise SettingError(f"{entry.where} becomes longer than {LONGEST} characters: shorten it")
    return text


def pieces(text: str, entry: Entry) -> Iterator[str]:
    """Plain text and whole `${...}` in turn."""
    begin = depth = 0
    for match in re.finditer(r"\$\{|\}", text):
        if match[0] == "${":
            if depth == 0 and match.start() > begin:
                yield text[begin : match.start()]
            begin = match.start() if depth == 0 else begin
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                yield text[begin : match.end()]
                begin = match.end()
    if depth:
        raise SettingError(f"{entry.where} has a ${{ without its }}: close it")
    if begin < len(text):
        yield text[begin:]


def meaning(document: Document, entry: Entry, inner: str, path: tuple[str, ...], budget: Iterator[int]) -> Any:
    """What stands for `${inner}`: the value of a key, or of a function."""
    if next(budget, None) is None:
        raise SettingError(f"{entry.where} refers to too many other keys: write its value")
    name, colon, rest = inner.partition(":")
    if colon and "$" not in name:
        return call(entry, name.strip(), [argument(document, entry, text, path, budget) for text in split(rest)])
    key = str(expand(document, entry, inner, path, budget)).strip()
    if key in path:
        raise SettingError(f"{entry.where} refers to itself by ${{{key}}}: write its value")
    target = document.entries.get(key)
    if target is None:
        raise SettingError(f"{entry.where} refers to {key}, which is not there: write it, or the value itself")
    if target.value == MISSING:
        raise SettingError(
            f"{target.where} is {MISSING} and {entry.key} needs it: give it after the options, {key}=..."
        )
    return expand(document, entry, target.value, (*path, key), budget)


def argument(document: Document, entry: Entry, text: str, path: tuple[str, ...], budget: Iterator[int]) -> Any:
    """One argument of a function: a reference, or a plain value."""
    value = expand(document, entry, text, path, budget)
    return read_word(text, entry.place)[0] if value is text else value


def split(text: str) -> list[str]:
    """Arguments between commas outside any braces and brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "{[") - (letter in "}]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() if part.strip() else part for part in parts]


def call(entry: Entry, name: str, arguments: list[Any]) -> Any:
    """The result of one of `FUNCTIONS`."""
    if name not in FUNCTIONS:
        raise SettingError(f"{entry.where} asks for the function {name!r}: choose among {', '.join(FUNCTIONS)}")
    number, function = FUNCTIONS[name]
    if len(arguments) != number:
        raise SettingError(f"{entry.where} gives {name} {len(arguments)} values: it takes {number}")
    try:
        return function(*arguments)
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise SettingError(f"{entry.where}: {name} cannot work with {arguments} ({error}): give it numbers") from None
