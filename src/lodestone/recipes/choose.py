"""From the words on a command line or in a run folder to a recipe's result."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import lodestone.recipes
from lodestone.errors import SettingError
from lodestone.optimize.experiment import Experiment
from lodestone.recipes.estimators import with_estimator

__all__ = ["Choice", "Recipe", "build", "describe", "recipes"]

Recipe = Callable[[str, str], Experiment]
"""A function of the prompt and the prior's name."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which recipe, which prior, and which other estimator (empty: the recipe's own)."""

    recipe: str = "lods-gs-embedding"
    prior: str = "embedded"
    estimator: str = ""


def recipes() -> Mapping[str, Recipe]:
    """The package's recipes by the name that the command line uses."""
    return {name.replace("_", "-"): getattr(lodestone.recipes, name) for name in lodestone.recipes.__all__}


def find(name: str) -> Recipe:
    """A recipe of the package, or `package.module:function` of anybody's.

    Raises: SettingError if there is none of that name.
    """
    if name in (known := recipes()):
        return known[name]
    module, _, function = name.partition(":")
    if function:
        try:
            found = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise SettingError(
                f"recipe {name!r} cannot be imported ({error}): check the names, and that PYTHONPATH has its folder"
            ) from None
        if callable(found):
            return found
    raise SettingError(f"there is no recipe {name!r}: choose among {', '.join(known)}, or package.module:function")


def build(choice: Choice, prompt: str) -> Experiment:
    """The chosen recipe's experiment.

    Raises: SettingError if the recipe or the estimator is unknown.
    """
    experiment = find(choice.recipe)(prompt, choice.prior)
    if not isinstance(experiment, Experiment):
        raise SettingError(f"recipe {choice.recipe!r} returned no Experiment: choose a function that returns one")
    if not choice.estimator:
        return experiment
    return with_estimator(experiment, choice.estimator)


def describe(recipe: Recipe) -> str:
    """The first line of a recipe's docstring."""
    return (inspect.getdoc(recipe) or "").split("\n", maxsplit=1)[0]
