"""Every key of a configuration by its rule, and what they make of an experiment together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lodestone.errors import SettingError
from lodestone.launch.document import MISSING, Document, Entry
from lodestone.launch.interpolation import resolve
from lodestone.launch.rules import Nothing, Only, Rule, Sets, find_rule
from lodestone.launch.systems import Guidance
from lodestone.launch.values import Remarked, Setting
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.plain import from_plain

__all__ = ["MODEL", "PREVIOUS", "PROMPT", "Note", "Reading", "Understood", "together"]

PROMPT = "system.prompt_processor.prompt"
MODEL = "system.guidance.pretrained_model_name_or_path"
PREVIOUS = "system.geometry_convert_from"

ALWAYS = (PROMPT, "seed")
"""What a file says of drafts, too."""


@dataclass(frozen=True)
class Note:
    """Something to say about a key."""

    where: str
    what: str = ""


def together(notes: Sequence[Note]) -> list[str]:
    """One line for all keys of which the same is said."""
    places: dict[str, list[str]] = {}
    for note in notes:
        places.setdefault(note.what, []).append(note.where)
    return [f"{', '.join(keys)}{': ' if what else ''}{what}" for what, keys in places.items()]


@dataclass(frozen=True)
class Understood:
    """What the rules have made of every key."""

    experiment: Experiment
    remarks: tuple[Note, ...]
    unknown: tuple[Note, ...]
    without_effect: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """A configuration beside what it is laid over."""

    document: Document
    base: Experiment
    guidance: Guidance
    side: int
    known: tuple[str, ...]
    """Keys that are understood elsewhere."""
    draft: bool
    """Whether only the prompt, the seed and the command line hold."""

    def all(self, rules: Mapping[str, Rule]) -> Understood:
        """Every key by its rule."""
        changes: dict[str, list[tuple[Entry, dict[str, Any]]]] = {}
        remarks: list[Note] = []
        unknown: list[Note] = []
        nothing: list[str] = []
        for entry in self.document.entries.values():
            rule = find_rule(rules, entry.key)
            if entry.key in self.known:
                continue
            if rule is None:
                unknown.append(Note(entry.brief))
            elif isinstance(rule, Nothing):
                nothing.append(entry.key)
            elif isinstance(rule, Only):
                said = self.compared(entry, rule)
                if rule.refuse:
                    unknown += said
                elif self.holds(entry):
                    remarks += said
            else:
                change, said = self.read(entry, rule)
                if self.holds(entry):
                    changes.setdefault(rule.key, []).append((entry, change))
                    remarks += said
        in_order = [change for key in rules for change in changes.get(key, [])]
        return Understood(self.laid_over(in_order), tuple(remarks), tuple(unknown), tuple(nothing))

    def holds(self, entry: Entry) -> bool:
        """Whether the entry counts."""
        return not self.draft or entry.override or entry.key in ALWAYS

    def compared(self, entry: Entry, rule: Only) -> list[Note]:
        """What to say if a value is not what is done here."""
        value = resolve(self.document, entry).value
        return [] if value == MISSING or rule.agrees(value) else [Note(entry.brief, rule.remark)]

    def read(self, entry: Entry, rule: Sets) -> tuple[dict[str, Any], list[Note]]:
        """The fields that a key sets, and what to say about it."""
        if entry.value == MISSING and entry.key != MODEL:
            raise SettingError(f"{entry.where} is {MISSING}: write {entry.key}=... after the options")
        setting = Setting(resolve(self.document, entry), self.document, self.base, self.guidance, self.side)
        value = rule.read(setting)
        remarks = [rule.remark] if rule.remark else []
        if isinstance(value, Remarked):
            value, remarks = value.value, [*remarks, value.remark]
        return dict.fromkeys(rule.fields, value), [Note(entry.brief, remark) for remark in remarks]

    def laid_over(self, changes: Sequence[tuple[Entry, dict[str, Any]]]) -> Experiment:
        """The base with the changes.

        Raises: SettingError naming the key and its line, if one of them alone is to blame.
        """
        together: dict[str, Any] = {}
        for _, change in changes:
            lay(together, change)
        try:
            return from_plain(self.base, together)
        except SettingError as error:
            for entry, change in changes:
                self.blame(entry, change)
            raise SettingError(f"the values of {self.document.name} do not go together: {error}") from None

    def blame(self, entry: Entry, change: dict[str, Any]) -> None:
        """Raises: SettingError if this change alone cannot be made."""
        alone: dict[str, Any] = {}
        lay(alone, change)
        try:
            from_plain(self.base, alone)
        except SettingError as error:
            raise SettingError(f"{entry.where} is {entry.value!r}: {error}") from None


def lay(tree: dict[str, Any], change: Mapping[str, Any]) -> None:
    """Puts values under dotted names into nested mappings."""
    for name, value in change.items():
        place = tree
        *groups, last = name.split(".")
        for group in groups:
            place = place.setdefault(group, {})
        if isinstance(value, dict) and isinstance(place.get(last), dict):
            place[last] |= value
        else:
            place[last] = dict(value) if isinstance(value, dict) else value
