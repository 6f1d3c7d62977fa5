"""A launched run: as any other, with its configuration beside the experiment."""

from dataclasses import replace
from pathlib import Path

from lodestone.errors import SettingError
from lodestone.launch.understanding import Launch
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.run_folder import RunFolder
from lodestone.runs import FinishedRun, generate
from lodestone.stored_runs import read_experiment

__all__ = ["run"]


def run(launch: Launch, *, output: Path, quiet: bool = False) -> FinishedRun:
    """Runs what a configuration has become; the folder also holds the configuration, as `launch.yaml`.

    Raises: SettingError before any work starts if a setting cannot be met.
    """
    experiment, beside = launch.experiment, {"launch.yaml": launch.document.text}
    if launch.previous is not None:
        experiment = replace(experiment, previous=finished(launch.previous))
    return generate(experiment, output=output, choice=launch.choice, quiet=quiet, beside=beside, after=launch.previous)


def finished(path: Path) -> Experiment:
    """The experiment of a run that is done.

    Raises: SettingError if it is not.
    """
    folder = RunFolder(path)
    experiment = read_experiment(folder)
    if not folder.is_done(experiment.plan.steps):
        raise SettingError(f"{path} is not finished: `lodestone resume {path}` continues it first")
    return experiment
