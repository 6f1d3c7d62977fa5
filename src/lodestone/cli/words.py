"""From the words of a command to its options and to an experiment, with one sentence for whatever is wrong."""

import argparse
import io
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lodestone.errors import SettingError

T = TypeVar("T")

if TYPE_CHECKING:
    from lodestone.optimize.experiment import Experiment

__all__ = ["PRIORS", "check_text", "fill_in", "fill_in_settings", "parser", "run_options", "understand"]

PRIORS = "embedded, empirical, world, a diffusers folder, an alias such as sd15, or a hub id"
"""Help of `--prior`."""


def understand(parse: Callable[[], T], help_command: str) -> T:
    """Runs a parser; what it complains of in boxes and usage lines becomes one sentence.

    Raises: SettingError if the words cannot be parsed.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            result = parse()
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise SettingError(complaint(said.getvalue(), help_command)) from None
    print(said.getvalue(), end="", file=sys.stderr)
    return result


def complaint(text: str, help_command: str) -> str:
    """The sentence in the complaint of argparse (after `error: `) or tyro (the first part of its box)."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    if " error: " in plain:
        return f"{' '.join(plain.split(' error: ', 1)[1].split())}: `{help_command}` explains every setting"
    boxed = "╭" in plain  # with its title in the frame; elsewhere the title is the first part
    rows = [line.strip("│ ") for line in plain.splitlines() if not line.startswith(("╭", "╰"))]
    parts = [" ".join(part.split()) for part in re.split(r"^[─-]{3,}$", "\n".join(rows), flags=re.MULTILINE)]
    parts = parts if boxed else parts[1:] or parts
    first = parts[0].removeprefix("Error parsing ").rstrip(".")
    if (found := re.fullmatch(r"(?!-)[\w.]+: (.*: .*)", first)) is not None:  # a setting has explained itself
        return found[1]
    guess = next((part.split()[3] for part in parts if part.startswith("Perhaps you meant:")), "")
    hint = f"perhaps you meant {guess}; " if guess.startswith("-") else ""
    return f"{first[:1].lower()}{first[1:]}: {hint}`{help_command}` lists every setting"


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """An argument parser that does not guess abbreviations."""
    return argparse.ArgumentParser(prog=f"lodestone {name}", description=description, allow_abbrev=False)


def run_options(options: argparse.ArgumentParser, usage: str) -> None:
    """The options that every command has that starts runs; `usage` is what the fields of a recipe come after."""
    options.add_argument("--output", type=Path, default=Path("outputs"), help="run folders are made in here")
    options.add_argument("--quiet", action="store_true", help="print the finished files only")
    options.add_argument("--fields", action="store_true", help="list every field of the recipe and stop")
    options.epilog = f"Any field of the recipe after that: `{usage} --fields` lists them all."


def check_text(name: str, text: str) -> None:
    """Raises: SettingError if the text holds bytes that are no UTF-8."""
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise SettingError(f"{name} is not valid text: write it in UTF-8")


def fill_in_settings(known: T, words: list[str], usage: str, *, fields: bool) -> T:
    """Settings with those that the words name; with `fields`, lists them all and stops.

    Raises: SettingError if there is no such setting or its value is of the wrong kind.
    """
    import tyro

    args = ["--help"] if fields else words
    return understand(lambda: tyro.cli(type(known), default=known, args=args, prog=usage), f"{usage} --fields")


def fill_in(experiment: "Experiment", words: list[str], usage: str, *, fields: bool = False) -> "Experiment":
    """The experiment with the fields that the words name; with `fields`, lists them all and stops.

    Raises: SettingError if there is no such field or its value is of the wrong kind.
    """
    import tyro

    # A run folder holds values; another kind of schedule or scene is another recipe's.
    config = (tyro.conf.AvoidSubcommands,)
    args = ["--help"] if fields else words
    return understand(
        lambda: tyro.cli(type(experiment), default=experiment, args=args, prog=usage, config=config),
        f"{usage} --fields",
    )
