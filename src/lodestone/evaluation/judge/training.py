"""Trains a judge: renders its views, learns, measures."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from lodestone.allocation import keep_freed_memory
from lodestone.data.worlds.cache import ViewSettings, read_cache, write_cache
from lodestone.data.worlds.world import World
from lodestone.evaluation.judge.examples import Examples
from lodestone.evaluation.judge.load import save_judge
from lodestone.evaluation.judge.measuring import measure_categories, measure_scenes, oriented_among
from lodestone.evaluation.judge.network import Judge
from lodestone.evaluation.judge.settings import JudgeSettings
from lodestone.evaluation.judge.state import JudgeTraining, has_checkpoint
from lodestone.optimize.interrupt import GracefulInterrupt
from lodestone.optimize.plain import to_plain

__all__ = ["JUDGE", "train_judge"]

JUDGE = "judge"
"""Folder, below a training's, of what `load_judge` reads."""


def train_judge(folder: Path, settings: JudgeSettings, *, report: Callable[[str], None] = print) -> None:
    """Trains into a folder; Ctrl-C saves and stops.

    Args:
        folder: receives views, checkpoint and the finished judge.
        settings: what to learn from, and how; steps may be raised later.
        report: is told what is done, the mean loss and the speed.

    Raises: SettingError if a checkpoint or a cache in the folder cannot be used.
    """
    keep_freed_memory()
    training = JudgeTraining(settings)
    if has_checkpoint(folder):
        training.restore(folder)
        report(f"resuming at step {training.step}")
    measured = views(folder, settings, report, measured=True)
    learned = views(folder, settings, report, measured=False)
    with GracefulInterrupt() as interrupt:
        learn(training, Examples.joined(learned), folder, lambda: interrupt.requested, report)
    training.save(folder)
    if training.step < settings.steps:
        report(f"stopped at step {training.step}: lodestone judge train {folder} goes on")
        return
    finish(training.judge, measured, folder, settings, report)
    report(f"the judge is in {folder / JUDGE}")


def views(
    folder: Path, settings: JudgeSettings, report: Callable[[str], None], *, measured: bool
) -> tuple[Examples, Examples]:
    """Of scenes whose captions are not held out, and of those whose are; from caches, written where there are none."""
    world = World(settings.measured_seed if measured else settings.world_seed)
    scenes = settings.measured_scenes if measured else settings.scenes
    cameras = ViewSettings(views=settings.views)
    both = []
    for held_out, name in enumerate(("others", "held-out")):
        place = folder / ("measured" if measured else "views") / name

        def finished(done: int, total: int, place: Path = place) -> None:
            report(f"{place}: {done} of {total} files")

        workers = torch.get_num_threads()
        write_cache(place, world, cameras, scenes=scenes, held_out=bool(held_out), workers=workers, finished=finished)
        both.append(Examples.of(read_cache(place, world)))
    return both[0], both[1]


def learn(
    training: JudgeTraining,
    examples: Examples,
    folder: Path,
    stopped: Callable[[], bool],
    report: Callable[[str], None],
) -> None:
    """Steps until the last one or until stopped."""
    settings, losses, began = training.settings, [], time.monotonic()
    while training.step < settings.steps and not stopped():
        losses.append(training.advance(examples))
        if training.step % settings.report_every == 0:
            speed = len(losses) * settings.batch / (time.monotonic() - began)
            mean = sum(losses) / len(losses)
            report(f"step {training.step}/{settings.steps}  loss {mean:.4f}  {speed:.0f} pictures/s")
            losses, began = [], time.monotonic()
        if training.step % settings.save_every == 0:
            training.save(folder)


def finish(
    judge: Judge,
    measured: tuple[Examples, Examples],
    folder: Path,
    settings: JudgeSettings,
    report: Callable[[str], None],
) -> None:
    """Measures, decides which categories have sides that can be told apart, and writes the judge with its card."""
    judge.eval()
    world, cameras = World(settings.measured_seed), ViewSettings(views=8)
    categories = measure_categories(judge, world, cameras, settings.measured_objects)
    judge.oriented = oriented_among(categories)
    report(f"{len(judge.oriented)} of {len(categories)} categories have sides that can be told apart")
    names = ("other captions", "held-out captions")
    accuracy = {name: measure_scenes(judge, each, settings.seed) for name, each in zip(names, measured, strict=True)}
    card = {"settings": to_plain(settings), "accuracy": accuracy, "categories": categories}
    save_judge(judge, folder / JUDGE, card)
