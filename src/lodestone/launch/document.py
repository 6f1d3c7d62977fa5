"""A YAML file as dotted keys, each with the line where it stands, and overrides from the command line on top.

Scalars are read as OmegaConf reads them: `1e-4` is a number, and a date is text.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lodestone.errors import SettingError

__all__ = ["MISSING", "Document", "Entry", "find_config", "packaged", "read_document", "read_word"]

MISSING = "???"
"""What a configuration says where the user has to."""

MOST_BYTES = 1_000_000
MOST_VALUES = 10_000

PACKAGED = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class Entry:
    """One value and where it was given."""

    key: str
    value: Any
    text: str
    """As it is written, without quotes; empty for lists."""
    place: str
    """Such as `line 7 of dreamfusion-sd.yaml`."""
    override: bool = False
    """Whether it comes from the command line."""

    @property
    def where(self) -> str:
        """The key and its place, for a sentence."""
        return f"{self.key} ({self.place})"

    @property
    def brief(self) -> str:
        """The same where the file has been named already."""
        return f"{self.key} ({self.place.partition(' of ')[0]})"

    def wrong(self, expected: str) -> SettingError:
        """The error for a value of the wrong kind."""
        shown = repr(self.value)
        return SettingError(f"{self.where} is {shown[:60]}{'...' if len(shown) > 60 else ''}: give {expected}")


@dataclass(frozen=True)
class Document:
    """Every value of a configuration by its dotted key."""

    name: str
    text: str
    """The file as it is."""
    entries: Mapping[str, Entry]

    def given(self, key: str) -> Entry | None:
        """The entry with this key; None if it is missing or left to the user."""
        entry = self.entries.get(key)
        return None if entry is None or entry.value == MISSING else entry


class Loader(yaml.SafeLoader):
    """Plain scalars are null, truth values, numbers or text, and nothing else."""


SIMPLE = ("null", "bool", "int", "merge")
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag.rpartition(":")[2] in SIMPLE]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
FLOAT = re.compile(r"[-+]?(\d[\d_]*\.[\d_]*([eE][-+]?\d+)?|\.\d[\d_]*([eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+|\.(inf|nan))")
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(FLOAT.pattern + "$", re.IGNORECASE), list("-+0123456789.")
)


def packaged() -> tuple[str, ...]:
    """Names of the configurations that come with the package."""
    return tuple(sorted(path.name for path in PACKAGED.glob("*.yaml")))


def find_config(name: str) -> Path:
    """A file of this name, or the packaged one (`configs/NAME` means that as well).

    Raises: SettingError if there is neither.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        raise SettingError(f"--config {name} is a folder: name a YAML file in it")
    if path.exists():
        return path
    if path.parent in (Path(), Path("configs")) and path.name in packaged():
        return PACKAGED / path.name
    raise SettingError(f"there is no file {name}: name a YAML file, or one of the package: {', '.join(packaged())}")


def read_document(path: Path, overrides: Sequence[str] = ()) -> Document:
    """A file with `key=value` words laid over it.

    Raises: SettingError if the file is no YAML mapping of reasonable size, or a word is no `key=value`.
    """
    text = read(path)
    entries = {entry.key: entry for entry in parsed(text, path.name)}
    for word in overrides:
        changed = override(word)
        # A group that is overridden is replaced as a whole.
        entries = {key: entry for key, entry in entries.items() if not key.startswith(f"{changed.key}.")}
        entries[changed.key] = changed
    return Document(path.name, text, entries)


def read(path: Path) -> str:
    """The text of a file.

    Raises: SettingError if it is too large, or no UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise SettingError(f"{path} is larger than {MOST_BYTES} bytes, which no configuration is: choose another file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingError(f"{path} is no UTF-8 text (byte {error.start}): save it as UTF-8") from None


def parsed(text: str, name: str) -> list[Entry]:
    """Every leaf of the mapping in a YAML text.

    Raises: SettingError naming the line if there is none.
    """
    loader = None
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise SettingError(f"{name} is empty: write settings into it, or choose another file")
        if not isinstance(node, MappingNode):
            raise SettingError(f"{name} holds no mapping of settings: write lines such as `seed: 0`")
        return list(leaves(loader, node, "", name, count()))
    except yaml.YAMLError as error:
        raise SettingError(f"{name} cannot be read as YAML ({complaint(error)}): correct it") from None
    except RecursionError:
        raise SettingError(f"{name} nests too deeply, or contains itself: write it flat") from None
    finally:
        if loader is not None:
            loader.dispose()


def complaint(error: yaml.YAMLError) -> str:
    """What is wrong and in which line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "no YAML"
    return " ".join(f"{problem}{f', line {mark.line + 1}' if mark else ''}".split())


def leaves(loader: Loader, node: MappingNode, prefix: str, name: str, budget: Iterator[int]) -> Iterator[Entry]:
    """The values of a mapping and of the mappings in it."""
    check_keys(node, name)
    loader.flatten_mapping(node)
    for key, value in node.value:
        dotted = f"{prefix}{key.value}"
        if isinstance(value, MappingNode):
            spend(budget, name)
            yield from leaves(loader, value, f"{dotted}.", name, budget)
        else:
            text = value.value if isinstance(value, ScalarNode) else ""
            place = f"line {key.start_mark.line + 1} of {name}"
            yield Entry(dotted, plain(loader, value, name, budget), text, place)


def check_keys(node: MappingNode, name: str) -> None:
    """Raises: SettingError if a key is no text or stands there twice."""
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, ScalarNode):
            raise SettingError(f"a key in line {line} of {name} is no text: give it a name")
        if key.value in lines and key.tag != "tag:yaml.org,2002:merge":
            raise SettingError(f"{key.value} stands in lines {lines[key.value]} and {line} of {name}: remove one")
        lines[key.value] = line


def plain(loader: Loader, node: Node, name: str, budget: Iterator[int]) -> Any:
    """A scalar, or a list of such and of mappings."""
    spend(budget, name)
    if isinstance(node, SequenceNode):
        return [plain(loader, part, name, budget) for part in node.value]
    if isinstance(node, MappingNode):
        return {str(key.value): plain(loader, value, name, budget) for key, value in node.value}
    try:
        value = loader.construct_object(node)
    except ValueError:
        value = None
    if node.value and not isinstance(value, str | int | float | None):
        raise SettingError(f"line {node.start_mark.line + 1} of {name} has the tag {node.tag}: write plain values")
    return value


def spend(budget: Iterator[int], name: str) -> None:
    """Raises: SettingError if there are more values than a configuration has; aliases multiply them."""
    if next(budget) >= MOST_VALUES:
        raise SettingError(f"{name} holds more than {MOST_VALUES} values, which no configuration does: shorten it")


def override(word: str) -> Entry:
    """`key=value` from the command line; the value is YAML, or text if it is none.

    Raises: SettingError if the word has another form.
    """
    key, equals, text = word.partition("=")
    if not equals or not re.fullmatch(r"\w[\w-]*(\.\w[\w-]*)*", key):
        raise SettingError(f"{word!r} is no key=value: write for example trainer.max_steps=1000")
    place = "the command line"
    value, written = read_word(text, place)
    return Entry(key, value, written, place, override=True)


def read_word(text: str, place: str) -> tuple[Any, str]:
    """A scalar or a list in brackets, and what it says without quotes; what is neither is text."""
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if isinstance(node, ScalarNode) or (node is not None and text.lstrip().startswith("[")):
            quoted = isinstance(node, ScalarNode) and node.style
            return plain(loader, node, place, count()), node.value if quoted else text
    except (yaml.YAMLError, RecursionError):
        pass
    return text, text
