"""`recipes`, `oracle` and `doctor`: what there is, what estimators do in principle, and what this machine can do."""

import os
from pathlib import Path

from lodestone.cli.words import parser, understand

__all__ = ["doctor", "oracle", "recipes"]


def recipes(words: list[str]) -> int:
    """`lodestone recipes`."""
    understand(lambda: parser("recipes", "Lists the recipes.").parse_args(words), "lodestone recipes --help")
    from lodestone.recipes.choose import describe
    from lodestone.recipes.choose import recipes as known

    for name, recipe in known().items():
        print(f"{name:<24} {describe(recipe)}")
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
