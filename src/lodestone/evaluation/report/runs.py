"""Which assets are evaluated: those of finished run folders, or of prompts that are run first."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lodestone.errors import SettingError
from lodestone.evaluation.recognition import PictureIndex
from lodestone.evaluation.report.assets import judge_asset, look_at, named
from lodestone.evaluation.report.judging import PictureJudge
from lodestone.evaluation.report.report import EvaluatedRun, Report
from lodestone.export.asset import Format
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.run_folder import RunFolder, slug
from lodestone.priors.denoiser import Prior
from lodestone.recipes.choose import Choice
from lodestone.runs import generate, resume
from lodestone.scenes.image import ImageSettings
from lodestone.stored_runs import read_experiment, read_solid

__all__ = ["evaluate_run", "evaluate_runs", "find_runs", "finish_run", "read_prompts", "seconds_of"]

logger = logging.getLogger(__name__)


def read_prompts(file: Path) -> list[str]:
    """The prompts of a file, each once: one on a line; empty lines and lines that begin with # are skipped.

    Raises: SettingError if there is no such file, it is no text, or holds no prompt.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise SettingError(f"there is no file {file}: write one prompt on each line of it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            f"{file} cannot be read as text ({error}): write one prompt on each line, in UTF-8"
        ) from None
    prompts = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not prompts:
        raise SettingError(f"{file} holds no prompts: write one on each line of it")
    return list(dict.fromkeys(prompts))


def find_runs(path: Path) -> tuple[list[Path], dict[str, str]]:
    """The run folders in a folder, or itself, that hold a finished 3D asset; of all others, why they do not.

    Raises: SettingError if there is no such folder or no finished 3D asset in it.
    """
    if not path.is_dir():
        raise SettingError(f"there is no folder {path}: name a run folder, or a folder of them")
    found = [path] if RunFolder(path).exists else sorted(file.parent for file in path.rglob("experiment.yaml"))
    reasons = {run: obstacle(run) for run in found if run.name != "previous" or run == path}
    others = {str(run): reason for run, reason in reasons.items() if reason is not None}
    if len(others) == len(reasons):
        why = f"; {next(iter(others.values()))}" if others else ": name the folder of a run"
        raise SettingError(f"there is no finished 3D asset in {path}{why}")
    return [run for run, reason in reasons.items() if reason is None], others


def obstacle(run: Path) -> str | None:
    """Why a run folder holds no finished asset in 3D; None if it does."""
    try:
        experiment, done = read_experiment(RunFolder(run)), RunFolder(run).is_done
        if isinstance(experiment.scene, ImageSettings):
            return f"{run} holds flat pictures: choose a run of a recipe in 3D"
        return (
            None if done(experiment.plan.steps) else f"{run} is not finished: `lodestone resume {run}` goes on with it"
        )
    except SettingError as error:
        return str(error)


def evaluate_run(judge: PictureJudge, run: Path, index: PictureIndex | None = None) -> EvaluatedRun:
    """The figures of a run's asset; without an `index` of the emoji pictures it has no rank.

    Raises: SettingError if it cannot be read.
    """
    scene, experiment = read_solid(run)
    choice = {name: str(RunFolder(run).read().get(name, "")) for name in ("recipe", "estimator")}
    views = look_at(scene, experiment.evaluation)
    asset = judge_asset(judge, views, prompt=experiment.prompt.text, seconds=seconds_of(run), index=index)
    return EvaluatedRun(asset=asset, run=str(run), prior=experiment.prior, **choice)


def evaluate_runs(
    judge: PictureJudge, runs: Sequence[Path], *, left_out: Mapping[str, str] | None = None, quiet: bool = False
) -> Report:
    """The report of several runs; one that cannot be read is left out.

    Raises: SettingError if none can be read.
    """
    found, others = list[EvaluatedRun](), dict(left_out or {})
    index = open_index([read_experiment(RunFolder(run)).prompt.text for run in runs], quiet=quiet)
    for number, run in enumerate(runs, 1):
        try:
            found.append(evaluate_run(judge, run, index))
        except SettingError as error:
            others[str(run)] = str(error)
            continue
        if not quiet:
            print(f"{number}/{len(runs)}  {found[-1].asset.prompt}", flush=True)
    if not found:
        name, why = next(iter(others.items()))
        raise SettingError(
            f"{name} has no asset ({why})" + (f", like {len(others) - 1} others" if others.keys() - {name} else "")
        )
    return Report(runs=tuple(found), left_out=others)


def open_index(prompts: Sequence[str], *, quiet: bool) -> PictureIndex | None:
    """What ranks assets, if a prompt names an emoji picture and the classifier is installed."""
    if all(named(prompt) is None for prompt in prompts):
        return None
    if not quiet:
        print("reading the emoji pictures for recall (some minutes the first time)", flush=True)
    try:
        return PictureIndex.load()
    except SettingError as error:
        logger.warning("no recall: %s", error)
        return None


def stages(folder: RunFolder) -> Iterator[RunFolder]:
    """The folders of a run's stages, the last stage first."""
    yield folder
    if folder.previous.exists:
        yield from stages(folder.previous)


def seconds_of(run: Path) -> float | None:
    """All steps of all stages, of all sessions; None if the metrics are missing or damaged."""
    try:
        files = [folder.path / "metrics.jsonl" for folder in stages(RunFolder(run))]
        lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
        return round(sum(float(seconds) for line in lines for seconds in line["seconds"].values()), 2)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def finish_run(
    experiment: Experiment,
    *,
    output: Path,
    choice: Choice,
    formats: Sequence[Format] | None,
    quiet: bool,
    prior: Prior | None = None,
) -> Path | None:
    """The folder of a finished run of the experiment below `output`: there already, resumed, or run now.

    None if the user has interrupted it. `prior` is the experiment's, if it is open already.

    Raises: OptimizationStopped if the run stopped itself.
    """
    for folder in sorted((output / slug(experiment.prompt.text)).glob("*/experiment.yaml")):
        if holds(folder.parent, experiment):
            done = obstacle(folder.parent) is None or resume(folder.parent, quiet=quiet).complete
            return folder.parent if done else None
    finished = generate(experiment, output=output, choice=choice, formats=formats, quiet=quiet, prior=prior)
    return finished.folder.path if finished.complete else None


def holds(run: Path, experiment: Experiment) -> bool:
    """Whether a run folder is of exactly this experiment."""
    try:
        return read_experiment(RunFolder(run)) == experiment
    except SettingError:
        return False
