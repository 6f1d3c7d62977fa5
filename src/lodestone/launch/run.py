"""A launched run: as any other, with its configuration beside the experiment."""

import shutil
from dataclasses import replace
from pathlib import Path

from lodestone.errors import SettingError
from lodestone.launch.understanding import Launch
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.plain import to_plain
from lodestone.optimize.run_folder import RunFolder
from lodestone.runs import FinishedRun, OpenPriors, advance, begin_stages, check_device
from lodestone.storage import write_text
from lodestone.stored_runs import find_origin, read_experiment, usual_formats

__all__ = ["run"]


def run(launch: Launch, *, output: Path, quiet: bool = False) -> FinishedRun:
    """Runs what a configuration has become; the folder also holds the configuration, as `launch.yaml`.

    Raises: SettingError before any work starts if a setting cannot be met.
    """
    experiment = launch.experiment
    if launch.previous is not None:
        experiment = replace(experiment, previous=finished(launch.previous))
    for stage in experiment.stages:
        check_device(stage.device)
    formats = [str(one) for one in usual_formats(experiment)]
    origin = {**to_plain(find_origin(experiment, launch.choice)), "formats": formats}
    priors = OpenPriors({})
    begun = begin_stages(experiment, priors)
    folder = RunFolder.create(output, experiment, origin)
    write_text(folder.path / "launch.yaml", launch.document.text)
    if launch.previous is not None:
        take_over(launch.previous, folder, experiment)
    return advance(experiment, folder, priors, quiet, None if launch.previous else begun)


def finished(path: Path) -> Experiment:
    """The experiment of a run that is done.

    Raises: SettingError if it is not.
    """
    folder = RunFolder(path)
    experiment = read_experiment(folder)
    if folder.newest != folder.checkpoint(experiment.plan.steps) or not folder.timing.is_file():
        raise SettingError(f"{path} is not finished: `lodestone resume {path}` continues it first")
    return experiment


def take_over(done: Path, folder: RunFolder, experiment: Experiment) -> None:
    """Puts a finished run where the stage before is looked for."""
    assert experiment.previous is not None
    shutil.copytree(done, folder.previous.path)
    folder.previous.describe(experiment.previous, folder.origin_of_previous())
