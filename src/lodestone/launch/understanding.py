"""From a configuration to an experiment, and to everything that a person should know about how it was understood."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lodestone.errors import SettingError
from lodestone.launch import origins
from lodestone.launch.document import Document
from lodestone.launch.interpolation import resolve
from lodestone.launch.mapping import rules_for
from lodestone.launch.reading import MODEL, PREVIOUS, PROMPT, Note, Reading, together
from lodestone.launch.systems import System, choosers, find_guidance, find_system
from lodestone.optimize.experiment import Experiment
from lodestone.pretrained import Component
from lodestone.priors.hub import ALIASES
from lodestone.recipes.choose import Choice, build
from lodestone.recipes.estimators import is_small

__all__ = ["Launch", "understand"]

DEFAULT_MODEL = "sd15"
"""Threestudio's Stable Diffusion guidance without a model has this one."""


@dataclass(frozen=True)
class Launch:
    """What a configuration has become."""

    document: Document
    experiment: Experiment
    choice: Choice
    recipe: str
    remarks: tuple[Note, ...]
    """Keys that were understood differently, and how."""
    ignored: tuple[Note, ...]
    """Keys that nothing here understands, and why."""
    without_effect: tuple[str, ...]
    previous: Path | None
    """The run of the stage before, if there is one already."""

    @property
    def output(self) -> str:
        """Where the configuration wants run folders; empty if it does not say."""
        entry = self.document.given("exp_root_dir")
        return "" if entry is None else str(resolve(self.document, entry).value)

    def left_out(self) -> str:
        """The line that lists what nothing here understands."""
        return f"left out: {'; '.join(together(self.ignored))}"

    def lines(self) -> list[str]:
        """All of that for a person."""
        prior = self.experiment.prior
        lines = [f"{self.document.name} is the recipe {self.recipe} with the prior {prior}"]
        if is_small(prior):
            lines.append(
                f"its draft for this prior holds, guidance, steps and all: of {self.document.name} the prompt and the "
                "seed count, and whatever the command line sets"
            )
        lines += [f"understood differently: {line}" for line in together(self.remarks)]
        lines += [self.left_out()] if self.ignored else []
        if self.without_effect:
            lines.append(f"no effect here: {', '.join(self.without_effect)}")
        return lines


def understand(document: Document, *, prior: str = "", device: str = "cpu", ignore_unknown: bool = False) -> Launch:
    """Maps a configuration onto a recipe and its fields.

    Args:
        prior: instead of the configuration's.
        device: for every stage.
        ignore_unknown: goes on without keys that are not known; `Launch.ignored` lists them.

    Raises: SettingError naming key and line of what is wrong, or all keys that are not known.
    """
    system = find_system(document)
    guidance = find_guidance(document, system)
    prior = prior or model(document)
    choice = Choice(recipe=f"{origins.__name__}:{system.origin}", prior=prior)
    if guidance.name != system.guidance and guidance.estimator != system.estimator:
        choice = replace(choice, estimator=guidance.estimator)
    base = build(choice, prompt_of(document))
    known = (*choosers(system.name), *((PREVIOUS,) if base.previous is not None else ()))
    reading = Reading(document, base, guidance, picture_side(prior), known, is_small(prior))
    understood = reading.all(rules_for(base, system.name))
    if understood.unknown and not ignore_unknown:
        raise SettingError(refusal(document, understood.unknown))
    remarks, previous = [*model_remarks(document, prior), *understood.remarks], None
    if base.previous is not None:
        previous, said = stage_before(document)
        remarks += said
    return Launch(
        document=document,
        experiment=understood.experiment.in_every_stage(seed=understood.experiment.seed, device=device),
        choice=choice,
        recipe=told(system, choice),
        remarks=tuple(remarks),
        ignored=understood.unknown,
        without_effect=understood.without_effect,
        previous=previous,
    )


def told(system: System, choice: Choice) -> str:
    """The recipe in words."""
    stage = f", {system.stage} stage" if system.stage else ""
    return f"{system.recipe}{stage}" + (f" with the estimator {choice.estimator}" if choice.estimator else "")


def refusal(document: Document, unknown: Sequence[Note]) -> str:
    """The sentence that lists keys that are not known."""
    return (
        f"{document.name} has keys that are not known here: {'; '.join(together(unknown))}: correct them, or go on "
        "without them by --ignore-unknown"
    )


def prompt_of(document: Document) -> str:
    """The prompt.

    Raises: SettingError if there is none.
    """
    entry = document.given(PROMPT)
    if entry is None or entry.value is None:
        raise SettingError(f'there is no prompt: write {PROMPT}="a hamburger" after the options')
    return resolve(document, entry).text


def model(document: Document) -> str:
    """The prior that a configuration asks for, by its alias here if it has one."""
    entry = document.given(MODEL)
    if entry is None:
        return DEFAULT_MODEL
    name = str(resolve(document, entry).value)
    if "deepfloyd" in name.lower():
        raise entry.wrong("a model of Stable Diffusion; --prior names another one here")
    known = [
        alias for alias, repositories in ALIASES.items() if name in (*repositories.mirrors, *repositories.withdrawn)
    ]
    return known[0] if known else name


def model_remarks(document: Document, prior: str) -> list[Note]:
    """What to say if nobody named a model."""
    if document.given(MODEL) is None and prior == DEFAULT_MODEL:
        return [Note(f"{MODEL} (missing)", f"{DEFAULT_MODEL}, as in threestudio")]
    return []


def stage_before(document: Document) -> tuple[Path | None, list[Note]]:
    """The run folder that the configuration begins with, if it names one, and what to say otherwise.

    Raises: SettingError if what it names is no run folder.
    """
    entry = document.given(PREVIOUS)
    if entry is None or entry.value is None:
        return None, [Note(f"{PREVIOUS} (missing)", "the stages before run first, in the same run")]
    path = Path(str(resolve(document, entry).value)).expanduser()
    if not (path / "experiment.yaml").is_file():
        raise entry.wrong("a run folder of lodestone, or leave it out: the stages before then run first")
    return path, []


def picture_side(prior: str) -> int:
    """Side of a prior's pictures in pixels, without loading it."""
    if is_small(prior):
        return 64
    folder = Path(prior).expanduser()
    if (folder / "unet" / "config.json").is_file() and (folder / "vae" / "config.json").is_file():
        factor = 2 ** (len(Component(folder, "vae").config().get("block_out_channels", [0] * 4)) - 1)
        return int(factor * Component(folder, "unet").config().get("sample_size", 64))
    return 768 if prior in ("sd20", "sd21") else 512
