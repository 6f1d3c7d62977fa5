"""Several estimators side by side, from the same first particles: a run of each, two sheets, a table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PIL import Image

from lodestone.errors import SettingError
from lodestone.export.pictures import write_picture
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.run_folder import slug, unused
from lodestone.optimize.watchdog import OptimizationStopped
from lodestone.playground.files import course, pictures_of, to_images
from lodestone.playground.metrics import table
from lodestone.playground.sheets import sheet
from lodestone.priors.choose import open_prior
from lodestone.priors.denoiser import Prior
from lodestone.recipes.choose import Choice
from lodestone.runs import FinishedRun, begin, check_device, generate
from lodestone.scenes.image import ImageScene
from lodestone.storage import write_text

__all__ = ["Comparison", "Contestant", "compare"]


@dataclass(frozen=True)
class Contestant:
    """One estimator's experiment, and the recipe that it came from."""

    choice: Choice
    experiment: Experiment


@dataclass(frozen=True)
class Comparison:
    """What a comparison has led to."""

    folder: Path
    runs: Mapping[str, FinishedRun]
    left_out: Mapping[str, str]
    """Why an estimator has no row: it cannot work here, or its run stopped itself."""
    files: tuple[Path, ...]
    table: str


def compare(
    contestants: Mapping[str, Contestant], *, output: Path, quiet: bool = False, only_fitting: bool = False
) -> Comparison:
    """Runs one estimator after the other with one open prior; Ctrl-C ends the present run and the comparison.

    Args:
        contestants: by name; of one prompt, prior, seed and scene.
        output: a folder is made below it, with a run folder for each name.
        quiet: without names and progress lines.
        only_fitting: leaves out the estimators that cannot work here, instead of refusing the comparison.

    Raises: SettingError before any work starts if an estimator cannot work here; OptimizationStopped if all runs did.
    """
    first = next(iter(contestants.values())).experiment
    prior = open_prior(first.prior, device=check_device(first.device))
    left_out = misfits(contestants, prior)
    if left_out and (not only_fitting or len(left_out) == len(contestants)):
        name, why = next(iter(left_out.items()))
        raise SettingError(f"{name} cannot be compared here: {why}")
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder, runs = unused(output / slug(first.prompt.text) / f"comparison-{stamp}"), dict[str, FinishedRun]()
    for name in [name for name in contestants if name not in left_out]:
        if not quiet:
            print(name)
        choice, experiment = contestants[name].choice, contestants[name].experiment
        try:
            run = generate(experiment, output=folder / name, below=False, choice=choice, quiet=quiet, prior=prior)
        except OptimizationStopped as error:
            left_out[name] = str(error)
            continue
        runs[name] = run
        if not run.complete:
            break
    if not runs:
        raise OptimizationStopped("; ".join(f"{name}: {why}" for name, why in left_out.items()))
    return summarize(folder, runs, left_out, prior, first)


def misfits(contestants: Mapping[str, Contestant], prior: Prior) -> dict[str, str]:
    """The estimators that cannot work with this prior and these particles, and why."""
    found = {}
    for name, contestant in contestants.items():
        try:
            begin(contestant.experiment, prior)
        except SettingError as error:
            found[name] = str(error)
    return found


def summarize(
    folder: Path, runs: Mapping[str, FinishedRun], left_out: Mapping[str, str], prior: Prior, experiment: Experiment
) -> Comparison:
    """Writes all particles to comparison.png, the first ones' course to progress.png, numbers to comparison.json.

    Raises: SettingError if a file cannot be written.
    """
    measured = {name: json.loads((run.folder.asset / "metrics.json").read_text("utf-8")) for name, run in runs.items()}
    finished = {name: particles_of(run, prior) for name, run in runs.items()}
    courses = {name: first_course(run, measured[name]["steps"], finished[name]) for name, run in runs.items()}
    caption, longest = experiment.prompt.text, max(courses.values(), key=len)
    sheets = {
        "comparison.png": sheet(list(finished.values()), caption=caption, row_labels=list(runs)),
        "progress.png": sheet(
            [list(found.values()) for found in courses.values()],
            caption=caption,
            row_labels=list(runs),
            column_labels=[f"step {step}" if index == 0 else str(step) for index, step in enumerate(longest)],
        ),
    }
    for name, picture in sheets.items():
        write_picture(folder / name, picture)
    numbers = {"prompt": caption, "prior": experiment.prior, "seed": experiment.seed}
    stored = json.dumps({**numbers, "estimators": measured, "left_out": dict(left_out)}, indent=2)
    write_text(folder / "comparison.json", stored + "\n")
    files = tuple(folder / name for name in (*sheets, "comparison.json"))
    return Comparison(folder, runs, left_out, files, table(list(measured.items())))


def particles_of(run: FinishedRun, prior: Prior) -> list[Image.Image]:
    """The finished particles of a run, for PIL."""
    assert isinstance(run.scene, ImageScene)
    return to_images(pictures_of(run.scene, prior.autoencoder).cpu())


def first_course(run: FinishedRun, steps: int, finished: list[Image.Image]) -> dict[int, Image.Image]:
    """The first particle after every so many steps, by step."""
    earlier = course(run.folder, len(finished), steps)
    return {**{step: particles[0] for step, particles in earlier.items()}, steps: finished[0]}
