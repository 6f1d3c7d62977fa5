"""`play` and `edit`: score distillation in two dimensions."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lodestone.cli.running import default_prior_notice, stopping
from lodestone.cli.words import PRIORS, check_text, fill_in, parser, run_options, understand
from lodestone.errors import SettingError

if TYPE_CHECKING:
    from lodestone.playground.comparison import Contestant

__all__ = ["edit", "play"]

PRIOR = "embedded"
"""The default here, where a network is to be looked at."""


def play(words: list[str]) -> int:
    """`lodestone play PROMPT --estimator NAME`, or `--compare NAME,NAME`."""
    usage = "lodestone play PROMPT"
    options = parser("play", "Makes pictures alone, without 3D: what an estimator does by itself.")
    options.add_argument("prompt", help="what to make, for example 'a hamburger'")
    options.add_argument("--estimator", help="by name; lods-embedding by default")
    options.add_argument("--compare", help="estimators side by side, from the same noise: sds,csd,ssd, or all")
    options.add_argument("--particles", type=int, help="pictures that are made at once (1 to 256)")
    flat_options(options, usage)
    chosen, rest = understand(lambda: options.parse_known_args(words), "lodestone play --help")
    check_text("the prompt", chosen.prompt)
    if chosen.compare is not None and chosen.estimator is not None:
        raise SettingError("--estimator and --compare are both given: choose one of them")
    names = [chosen.estimator or "lods-embedding"] if chosen.compare is None else compared(chosen)
    contestants = {name: contestant(name, chosen, rest, usage) for name in names}
    default_prior_notice(PRIOR, chosen)
    if chosen.compare is not None:
        return stand_side_by_side(contestants, chosen)
    from lodestone.runs import generate

    (only,) = contestants.values()
    return stopping(lambda: generate(only.experiment, output=chosen.output, choice=only.choice, quiet=chosen.quiet))


def flat_options(options: argparse.ArgumentParser, usage: str) -> None:
    """The options that both commands have."""
    options.add_argument("--prior", help=PRIORS)
    options.add_argument("--steps", type=int, help="optimization steps; what is annealed is stretched with them")
    options.add_argument("--seed", type=int, help="of everything that is drawn; 0 by default")
    run_options(options, usage)


def compared(chosen: argparse.Namespace) -> list[str]:
    """The names after `--compare`, each once.

    Raises: SettingError if there is none.
    """
    from lodestone.recipes.estimators import estimators

    known = list(estimators(chosen.prior or PRIOR))
    names = [name.strip() for name in chosen.compare.split(",") if name.strip()]
    if not names:
        raise SettingError(f"--compare is empty: choose all, or some of {', '.join(known)}")
    return known if names == ["all"] else list(dict.fromkeys(names))


def contestant(name: str, chosen: argparse.Namespace, rest: list[str], usage: str) -> "Contestant":
    """An estimator's experiment: the official scripts' own recipe where there is one; in a comparison, of equal plan.

    Raises: SettingError if there is no such estimator or a setting is wrong.
    """
    from lodestone.playground.comparison import Contestant
    from lodestone.recipes.choose import Choice, build
    from lodestone.recipes.playground import resized

    prior = chosen.prior or PRIOR
    plain = Choice(recipe="playground", prior=prior)
    scripted = {"lods-embedding": plain, "lods-lora": replace(plain, recipe="playground-lora")}
    choice = scripted.get(name, replace(plain, estimator=name))
    experiment = build(choice, chosen.prompt)
    if chosen.compare is not None:
        experiment = replace(experiment, plan=build(plain, chosen.prompt).plan)
    experiment = resized(experiment, particles=chosen.particles, steps=chosen.steps)
    if chosen.seed is not None:
        experiment = replace(experiment, seed=chosen.seed)
    return Contestant(choice, fill_in(experiment, rest, usage, fields=chosen.fields))


def stand_side_by_side(contestants: "dict[str, Contestant]", chosen: argparse.Namespace) -> int:
    """Runs a comparison and prints its table and its files."""
    from lodestone.optimize.watchdog import OptimizationStopped
    from lodestone.playground.comparison import compare

    try:
        done = compare(
            contestants, output=chosen.output, quiet=chosen.quiet, only_fitting=chosen.compare.strip() == "all"
        )
    except OptimizationStopped as error:
        print(f"lodestone: {error}; the run folders keep the last checkpoints before that", file=sys.stderr)
        return 1
    print(done.table)
    for name, why in done.left_out.items():
        print(f"{name} is left out: {why}")
    for path in done.files:
        print(path)
    for run in done.runs.values():
        if not run.complete:
            print(f"interrupted; continue with: lodestone resume {run.folder.path}")
    return 0


def edit(words: list[str]) -> int:
    """`lodestone edit PICTURE --source "a cat" --target "a dog"`."""
    usage = "lodestone edit PICTURE --source TEXT --target TEXT"
    options = parser("edit", "Changes what a picture shows, and leaves the rest as it is.")
    options.add_argument("picture", type=Path, help="a file; its central square is taken")
    options.add_argument("--source", required=True, help="what it shows, for example 'a cat'")
    options.add_argument("--target", required=True, help="what it shall show, for example 'a dog'")
    options.add_argument("--estimator", default="dds", help="dds, pds, lods or bridge")
    flat_options(options, usage)
    chosen, rest = understand(lambda: options.parse_known_args(words), "lodestone edit --help")
    for name in ("source", "target"):
        check_text(f"--{name}", getattr(chosen, name))
        if not getattr(chosen, name).strip():
            raise SettingError(f"--{name} is empty: say in a few words what the picture shows, before or after")

    from lodestone.recipes.choose import Choice, build
    from lodestone.recipes.editing import EDITORS, edit_settings
    from lodestone.recipes.playground import resized
    from lodestone.runs import generate

    if chosen.estimator not in EDITORS:
        raise SettingError(f"there is no editor {chosen.estimator!r}: choose among {', '.join(EDITORS)}")
    choice = Choice(recipe=f"edit-{chosen.estimator}", prior=chosen.prior or PRIOR)
    experiment = edit_settings(build(choice, chosen.target), chosen.picture, chosen.source)
    experiment = resized(experiment, steps=chosen.steps)
    if chosen.seed is not None:
        experiment = replace(experiment, seed=chosen.seed)
    experiment = fill_in(experiment, rest, usage, fields=chosen.fields)
    default_prior_notice(PRIOR, chosen)
    return stopping(lambda: generate(experiment, output=chosen.output, choice=choice, quiet=chosen.quiet))
