"""Frozen dataclasses to plain mappings and back, without code, tags or class names in the file.

Types come from a complete default value (a recipe's result): a stored experiment is the recipe's name and its values.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from lodestone.errors import SettingError

__all__ = ["from_plain", "to_plain"]

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Numbers, strings, lists and mappings that YAML and JSON can hold."""
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(entry) for entry in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def from_plain(default: T, data: Any, key: str = "experiment") -> T:
    """Lays plain values over a default of the same shape.

    Raises: SettingError naming the key if one is unknown or its value has the wrong type.
    """
    if not isinstance(data, Mapping):
        raise SettingError(f"{key} must be a mapping of settings, not {data!r}")
    hints = get_type_hints(type(default))
    known = {field.name for field in fields(default)}  # type: ignore[arg-type]
    if unknown := sorted(str(name) for name in set(data) - known):
        raise SettingError(f"{key}.{unknown[0]} is not a setting here: choose among {', '.join(sorted(known))}")
    values = {name: read(getattr(default, name), hints[name], entry, f"{key}.{name}") for name, entry in data.items()}
    return replace(default, **values)  # type: ignore[type-var]


def read(default: Any, hint: Any, data: Any, key: str) -> Any:
    """One value, by the type of the default where it has one and of the annotation where not."""
    if is_dataclass(default):
        return from_plain(default, data, key)
    if isinstance(default, Enum):
        return read_enum(type(default), data, key)
    if get_origin(hint) in (Union, UnionType):
        if data is None and NoneType in get_args(hint):
            return None
        hint = next(kind for kind in get_args(hint) if kind is not NoneType)
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        if not isinstance(data, list | tuple):
            raise SettingError(f"{key} must be a list, not {data!r}")
        kinds = kinds[:1] * len(data) if Ellipsis in kinds else kinds
        if len(kinds) != len(data):
            raise SettingError(f"{key} must have {len(kinds)} entries, not {len(data)}")
        return tuple(scalar(kind, entry, key) for kind, entry in zip(kinds, data, strict=True))
    return scalar(hint, data, key)


def read_enum(kind: type[Enum], data: Any, key: str) -> Enum:
    """The member with this value."""
    try:
        return kind(data)
    except ValueError:
        raise SettingError(f"{key} is {data!r}: choose among {', '.join(str(m.value) for m in kind)}") from None


def scalar(kind: Any, data: Any, key: str) -> Any:
    """A number, truth value, string or path of exactly the expected kind; whole numbers pass as floats."""
    if kind is float and isinstance(data, int | float) and not isinstance(data, bool):
        return float(data)
    if kind is Path and isinstance(data, str):
        return Path(data)
    if type(data) is not kind:
        raise SettingError(f"{key} is {data!r}: it must be of type {getattr(kind, '__name__', kind)}")
    return data
