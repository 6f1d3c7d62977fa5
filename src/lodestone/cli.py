"""The command line; thin. Every command imports what it needs, so that `lodestone --help` answers at once."""

import argparse
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lodestone import __version__
from lodestone.errors import SettingError, check_range

T = TypeVar("T")

if TYPE_CHECKING:
    from lodestone.export.asset import SplatFormat
    from lodestone.runs import FinishedRun

__all__ = ["main"]

SUMMARY = f"""lodestone {__version__}: from a sentence to a 3D asset, by score distillation.

usage: lodestone COMMAND ...

  generate "a hamburger"      make a 3D asset from a prompt
  resume RUN                  continue a run that was interrupted
  render RUN                  pictures and a turntable of a run's scene, at any size
  export RUN                  a run's scene in other file formats
  recipes                     list the recipes
  prior sample "a hamburger"  what the prior itself draws
  prior train FOLDER          train the embedded prior
  oracle                      every estimator against scores that are known exactly
  doctor                      what this machine can do

`lodestone COMMAND --help` explains each command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, or 2 after a wrong setting, 1 after a run that stopped itself, 130 after Ctrl-C."""
    # Threads that spin while they wait starve each other on a small or busy machine (read when torch is imported).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(SUMMARY)
        return 0
    if words[0] == "--version":
        print(__version__)
        return 0
    try:
        return command(words[0])(words[1:])
    except (SettingError, ModuleNotFoundError, OSError) as error:
        print(f"lodestone: {sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lodestone: stopped; `lodestone resume RUN` continues from the last checkpoint", file=sys.stderr)
        return 130


EXTRAS = {
    "diffusers": "diffusion",
    "transformers": "diffusion",
    "tokenizers": "diffusion",
    "huggingface_hub": "diffusion",
    "matplotlib": "oracle",
}
"""The extra of this package that brings a library."""


def sentence(error: Exception) -> str:
    """What a person can do about an error of a setting, of a missing optional library or of the file system."""
    if isinstance(error, ModuleNotFoundError):
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise error
        return f"{error.name} is not installed: run `pip install 'lodestone3d[{extra}]'`"
    return f"{error}: check that the path exists and that you may use it" if isinstance(error, OSError) else str(error)


def command(name: str) -> Callable[[list[str]], int]:
    """The function of a command.

    Raises: SettingError if there is none of that name.
    """
    known = {
        "generate": generate,
        "resume": resume,
        "render": render,
        "export": export,
        "recipes": recipes,
        "prior": prior,
        "oracle": oracle,
        "doctor": doctor,
    }
    if name not in known:
        raise SettingError(f"there is no command {name!r}: choose among {', '.join(known)}")
    return known[name]


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


def generate(words: list[str]) -> int:
    """`lodestone generate PROMPT`: first the recipe, then any field of what it returned."""
    options = parser("generate", "Makes a 3D asset from a prompt.")
    options.add_argument("prompt", help="what to make, for example 'a hamburger'")
    options.add_argument("--recipe", help="see `lodestone recipes`; or package.module:function of your own")
    options.add_argument("--prior", help="embedded, empirical, a diffusers folder, an alias such as sd15, or a hub id")
    options.add_argument("--estimator", help="by name, instead of the recipe's own")
    options.add_argument("--output", type=Path, default=Path("outputs"), help="run folders are made in here")
    options.add_argument("--formats", default="ply", help="splat files to write, for example ply,splat")
    options.add_argument("--quiet", action="store_true", help="print the asset's files only")
    options.epilog = "Any field of the recipe after PROMPT: `lodestone generate PROMPT --fields` lists them all."
    options.add_argument("--fields", action="store_true", help="list every field of the recipe and stop")
    chosen, rest = understand(lambda: options.parse_known_args(words), "lodestone generate --help")
    if any("\ud800" <= letter <= "\udfff" for letter in chosen.prompt):  # bytes that are no UTF-8
        raise SettingError("the prompt is not valid text: write it in UTF-8")
    formats = splat_formats(chosen.formats)

    import tyro

    from lodestone.recipes.choose import Choice, build
    from lodestone.runs import generate as run

    named = {name: value for name in ("recipe", "prior", "estimator") if (value := getattr(chosen, name)) is not None}
    choice = Choice(**named)
    experiment = build(choice, chosen.prompt)
    fields = ["--help"] if chosen.fields else rest
    experiment = understand(
        lambda: tyro.cli(
            type(experiment),
            default=experiment,
            args=fields,
            prog="lodestone generate PROMPT",
            config=(tyro.conf.AvoidSubcommands,),  # a run folder holds values; another kind is another recipe's
        ),
        "lodestone generate PROMPT --fields",
    )
    if "prior" not in named and not chosen.quiet:
        print(default_prior_notice(choice.prior))
    return stopping(
        lambda: run(
            experiment,
            output=chosen.output,
            choice=choice,
            formats=formats,
            quiet=chosen.quiet,
        )
    )


def default_prior_notice(prior: str) -> str:
    """One line that says which prior is at work, why, and what else there is."""
    if prior == "embedded":
        return "prior: embedded, the default; --prior empirical is faster"
    return f"prior: {prior}, the default until the trained one is recognized 80 % as often (--prior embedded)"


def stopping(run: "Callable[[], FinishedRun]") -> int:
    """Runs, and tells the user where the files are or why the run stopped."""
    from lodestone.optimize.watchdog import OptimizationStopped

    try:
        finished = run()
    except OptimizationStopped as error:
        print(f"lodestone: {error}; the run folder keeps the last checkpoint before that", file=sys.stderr)
        return 1
    for path in finished.files:
        print(path)
    if not finished.complete:
        print(f"interrupted; continue with: lodestone resume {finished.folder.path}")
    return 0


def splat_formats(text: str) -> "list[SplatFormat]":
    """`ply,splat` as formats.

    Raises: SettingError if one is unknown.
    """
    from lodestone.export.asset import SplatFormat

    known = [member.value for member in SplatFormat]
    wanted = [word.strip().lower() for word in text.split(",") if word.strip()]
    if not wanted or any(word not in known for word in wanted):
        raise SettingError(f"format {text!r} is unknown: choose among {', '.join(known)}, separated by commas")
    return [SplatFormat(word) for word in dict.fromkeys(wanted)]


def resume(words: list[str]) -> int:
    """`lodestone resume RUN`."""
    options = parser("resume", "Continues a run from its newest checkpoint; needs only its folder.")
    options.add_argument("run", type=Path, help="run folder, such as outputs/a-hamburger-1a2b3c/20260102-030405")
    options.add_argument("--quiet", action="store_true", help="print the asset's files only")
    chosen = understand(lambda: options.parse_args(words), "lodestone resume --help")
    from lodestone.runs import resume as run

    return stopping(lambda: run(chosen.run, quiet=chosen.quiet))


def render(words: list[str]) -> int:
    """`lodestone render RUN --views 120 --size 512`."""
    options = parser("render", "Renders a run's scene: numbered PNG pictures and a turntable.")
    options.add_argument("run", type=Path, help="run folder")
    options.add_argument("--views", type=int, default=120, help="pictures in a full turn (1 to 3600)")
    options.add_argument("--size", type=int, default=512, help="side of a picture in pixels (16 to 4096)")
    options.add_argument("--output", type=Path, help="folder to write to; by default inside the run folder")
    chosen = understand(lambda: options.parse_args(words), "lodestone render --help")
    check_range("--views", chosen.views, 1, 3600)
    check_range("--size", chosen.size, 16, 4096)
    from lodestone.runs import render_run

    for path in render_run(chosen.run, views=chosen.views, size=chosen.size, output=chosen.output):
        print(path)
    return 0


def export(words: list[str]) -> int:
    """`lodestone export RUN --format ply,splat`."""
    options = parser("export", "Writes a run's scene in other file formats.")
    options.add_argument("run", type=Path, help="run folder")
    options.add_argument("--format", default="ply", help="ply, splat, or both separated by a comma")
    options.add_argument("--output", type=Path, help="folder to write to; by default the run's asset folder")
    chosen = understand(lambda: options.parse_args(words), "lodestone export --help")
    from lodestone.runs import export_run

    for path in export_run(chosen.run, splat_formats(chosen.format), output=chosen.output):
        print(path)
    return 0


def recipes(words: list[str]) -> int:
    """`lodestone recipes`."""
    understand(lambda: parser("recipes", "Lists the recipes.").parse_args(words), "lodestone recipes --help")
    from lodestone.recipes.choose import describe
    from lodestone.recipes.choose import recipes as known

    for name, recipe in known().items():
        print(f"{name:<24} {describe(recipe)}")
    return 0


def prior(words: list[str]) -> int:
    """`lodestone prior train|sample`."""
    if words[:1] == ["sample"]:
        return prior_sample(words[1:])
    if words[:1] == ["train"]:
        return prior_train(words[1:])
    if words and words[0] not in ("-h", "--help"):
        raise SettingError(f"there is no command 'prior {words[0]}': choose sample or train")
    print("usage: lodestone prior sample PROMPT | lodestone prior train FOLDER\n\n--help after either explains it.")
    return 0


def prior_sample(words: list[str]) -> int:
    """`lodestone prior sample PROMPT`."""
    options = parser("prior sample", "Draws pictures from a prior itself, without 3D.")
    options.add_argument("prompt", help="what to draw")
    options.add_argument("--prior", default="embedded", help="as for generate")
    options.add_argument("--count", type=int, default=8, help="pictures (1 to 64)")
    options.add_argument("--steps", type=int, default=25, help="denoising steps (1 to 1000)")
    options.add_argument("--guidance-scale", type=float, default=4.0, help="1 is the conditional model")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--device", default="cpu")
    options.add_argument(
        "--output", type=Path, default=Path("samples.png"), help="one picture with all samples in a row"
    )
    chosen = understand(lambda: options.parse_args(words), "lodestone prior sample --help")
    check_range("--count", chosen.count, 1, 64)
    check_range("--steps", chosen.steps, 1, 1000)
    from lodestone.runs import sample_prior

    sample_prior(**{name: value for name, value in vars(chosen).items() if name != "prior"}, choice=chosen.prior)
    print(chosen.output)
    return 0


def prior_train(words: list[str]) -> int:
    """`lodestone prior train FOLDER`."""
    options = parser(
        "prior train", "Trains the embedded prior on the shipped pictures; resumes if FOLDER has a checkpoint."
    )
    options.add_argument("folder", type=Path, help="receives the checkpoint and the finished prior")
    options.add_argument("--device", default="cpu", help="cpu or cuda")
    options.epilog = "Any training setting: --steps, --batch, --learning-rate, ... (`prior train FOLDER --fields`)"
    options.add_argument("--fields", action="store_true", help="list every training setting and stop")
    chosen, rest = understand(lambda: options.parse_known_args(words), "lodestone prior train --help")

    import tyro

    from lodestone.data.train_prior import TrainingSettings, train
    from lodestone.runs import check_device

    fields = ["--help"] if chosen.fields else rest
    settings = understand(
        lambda: tyro.cli(TrainingSettings, args=fields, prog="lodestone prior train FOLDER"),
        "lodestone prior train FOLDER --fields",
    )
    train(chosen.folder, settings, device=check_device(chosen.device))
    return 0


def oracle(words: list[str]) -> int:
    """`lodestone oracle --only mixture`."""
    options = parser("oracle", "Experiments on priors whose score is known exactly: figures, tables and their numbers.")
    options.add_argument("--only", choices=["mixture", "terms", "estimators"], help="one experiment instead of all")
    options.add_argument("--estimators", default="", help="compare these alone, for example sds,lods-embedding")
    options.add_argument("--seeds", type=int, default=20, help="of every estimator on every problem (1 to 1000)")
    options.add_argument("--steps", type=int, help="at most this many steps in a descent, for a quick look")
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes side by side (1 to 64)")
    options.add_argument("--output", type=Path, default=Path("docs/oracle"), help="folder to write to")
    chosen = understand(lambda: options.parse_args(words), "lodestone oracle --help")
    from lodestone.oracle.lab import Experiment, LabSettings, experiments

    settings = LabSettings(
        output=chosen.output,
        seeds=chosen.seeds,
        steps=chosen.steps,
        workers=chosen.workers,
        names=tuple(word.strip() for word in chosen.estimators.split(",") if word.strip()),
    )
    for path in experiments(settings, None if chosen.only is None else Experiment(chosen.only)):
        print(path)
    return 0


def doctor(words: list[str]) -> int:
    """`lodestone doctor`."""
    options = parser("doctor", "Says in plain words what this machine can do.")
    understand(lambda: options.parse_args(words), "lodestone doctor --help")
    from lodestone.doctor import examine

    for line in examine():
        print(line)
    return 0
