"""What can be said of a key: what it sets, where it agrees with what is done here, or that it changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lodestone.launch.values import Reader

__all__ = ["Nothing", "Only", "Rule", "Sets", "find_rule", "keyed"]


@dataclass(frozen=True)
class Sets:
    """The key sets fields of the experiment, or is checked alone if it has none."""

    key: str
    fields: tuple[str, ...]
    read: Reader
    remark: str = ""
    """What to know about it, whatever its value is."""

    @classmethod
    def to(cls, key: str, read: Reader, *fields: str, remark: str = "") -> "Sets":
        """With the fields last."""
        return cls(key, fields, read, remark)


@dataclass(frozen=True)
class Only:
    """The key has one meaning here."""

    key: str
    values: tuple[Any, ...]
    """With which it agrees; with any other the remark is made."""
    remark: str
    refuse: bool = False
    """Whether any other value changes so much that it counts as unknown."""

    def agrees(self, value: Any) -> bool:
        """Whether a value is one of those; true is not 1 here."""
        return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in self.values)


@dataclass(frozen=True)
class Nothing:
    """The key has no effect on the result here; one that ends with a dot means every key below."""

    key: str


Rule = Sets | Only | Nothing


def keyed(rules: Sequence[Rule]) -> Mapping[str, Rule]:
    """Rules by their keys; their order stays, and a later one replaces an earlier one."""
    return {rule.key: rule for rule in rules}


def find_rule(rules: Mapping[str, Rule], key: str) -> Rule | None:
    """The rule of a key, or of the group that it belongs to."""
    if key in rules:
        return rules[key]
    parts = key.split(".")
    groups = (".".join(parts[:length]) + "." for length in range(len(parts) - 1, 0, -1))
    return next((rules[group] for group in groups if group in rules), None)
