"""`generate` and `resume`, and what every command does that runs an experiment."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lodestone.cli.files import all_formats
from lodestone.cli.words import PRIORS, check_text, fill_in, parser, run_options, understand

if TYPE_CHECKING:
    from lodestone.optimize.experiment import Experiment
    from lodestone.recipes.choose import Choice
    from lodestone.runs import FinishedRun

__all__ = ["default_prior_notice", "generate", "read_choice", "read_recipe", "recipe_options", "resume", "stopping"]


def generate(words: list[str]) -> int:
    """`lodestone generate PROMPT`: first the recipe, then any field of what it returned."""
    usage = "lodestone generate PROMPT"
    options = parser("generate", "Makes a 3D asset from a prompt.")
    options.add_argument("prompt", help="what to make, for example 'a hamburger'")
    recipe_options(options, usage)
    chosen, rest = understand(lambda: options.parse_known_args(words), "lodestone generate --help")
    check_text("the prompt", chosen.prompt)
    formats = None if chosen.formats is None else all_formats(chosen.formats)

    from lodestone.runs import generate as run

    choice = read_choice(chosen)
    experiment = read_recipe(choice, chosen.prompt, chosen, rest, usage)
    default_prior_notice(choice.prior, chosen)
    return stopping(lambda: run(experiment, output=chosen.output, choice=choice, formats=formats, quiet=chosen.quiet))


def recipe_options(options: argparse.ArgumentParser, usage: str) -> None:
    """The options of every command that runs a recipe in 3D."""
    options.add_argument("--recipe", help="see `lodestone recipes`; or package.module:function of your own")
    options.add_argument("--prior", help=PRIORS)
    options.add_argument("--estimator", help="by name, instead of the recipe's own")
    options.add_argument("--formats", help="files to write: ply, splat, glb, obj, or several separated by commas")
    options.add_argument("--seed", type=int, help="of everything that is drawn, in every stage; 0 by default")
    options.add_argument("--device", help="cpu or cuda, for every stage")
    run_options(options, usage)


def read_choice(chosen: argparse.Namespace) -> "Choice":
    """The recipe, prior and estimator that are named."""
    from lodestone.recipes.choose import Choice

    names = ("recipe", "prior", "estimator")
    return Choice(**{name: value for name in names if (value := getattr(chosen, name)) is not None})


def read_recipe(
    choice: "Choice", prompt: str, chosen: argparse.Namespace, words: list[str], usage: str
) -> "Experiment":
    """What the recipe returns for a prompt, with the seed, the device and the fields that are given.

    Raises: SettingError if there is no such recipe, field or value.
    """
    from lodestone.recipes.choose import build

    given = {name: value for name in ("seed", "device") if (value := getattr(chosen, name)) is not None}
    return fill_in(build(choice, prompt).in_every_stage(**given), words, usage, fields=chosen.fields)


def default_prior_notice(prior: str, chosen: argparse.Namespace) -> None:
    """One line, if nobody chose it, that says which prior is at work and what else there is."""
    if chosen.prior is not None or chosen.quiet:
        return
    if prior == "embedded":
        print("prior: embedded, the default in 3D; --prior empirical is faster and knows emoji from the front")
    else:
        print(f"prior: {prior}, the default for pictures; --prior embedded is the trained network")


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


def resume(words: list[str]) -> int:
    """`lodestone resume RUN`."""
    options = parser("resume", "Continues a run from its newest checkpoint; needs only its folder.")
    options.add_argument("run", type=Path, help="run folder, such as outputs/a-hamburger-1a2b3c/20260102-030405")
    options.add_argument("--quiet", action="store_true", help="print the asset's files only")
    chosen = understand(lambda: options.parse_args(words), "lodestone resume --help")
    from lodestone.runs import resume as run

    return stopping(lambda: run(chosen.run, quiet=chosen.quiet))
