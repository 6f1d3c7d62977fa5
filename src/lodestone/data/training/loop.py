"""Trains until the plan is done, resuming from the folder's checkpoint if there is one."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from lodestone.allocation import keep_freed_memory
from lodestone.data.training.checkpoint import has_checkpoint, remove_leftovers, restore, save_checkpoint
from lodestone.data.training.draft import fit_draft
from lodestone.data.training.export import averaged, export
from lodestone.data.training.metrics import append_metrics, forget_after
from lodestone.data.training.mixture import Mixture, Words, open_mixture, read_words
from lodestone.data.training.network import read_start
from lodestone.data.training.settings import TrainingSettings
from lodestone.data.training.sheets import draw_sheet
from lodestone.data.training.state import Training, learning_rate
from lodestone.data.training.validation import HeldOut
from lodestone.export.pictures import write_picture
from lodestone.optimize.interrupt import GracefulInterrupt

__all__ = ["save", "train"]

PRIOR = "prior"
"""Folder, below a training's, of what `lodestone --prior` loads."""


def train(
    folder: Path,
    settings: TrainingSettings,
    *,
    device: torch.device,
    report: Callable[[str], None] = print,
    words: Words | None = None,
) -> None:
    """Trains into a folder, which `docs/training.md` describes; Ctrl-C saves and stops.

    Args:
        folder: receives checkpoint, metrics, sheets and the prior.
        settings: what to train on, and how; steps and minutes may be raised later.
        device: CPU or CUDA.
        report: is told the mean loss and the speed now and then.
        words: the text encoder; MiniLM if None.

    Raises: SettingError before any work starts if data, start or checkpoint cannot be used.
    """
    keep_freed_memory()
    training = begin(folder, settings, device, report)
    mixture = open_mixture(settings)
    words = words or read_words(settings.tokens, device)
    held_out = HeldOut.render(settings, words, device) if settings.world else None
    if not has_checkpoint(folder):
        error = fit_draft(training.draft, mixture, words, settings)
        report(f"draft network: mean squared error {error:.4f}" if settings.draft_steps else "draft network: kept")
        show(training, folder, words, held_out, report)
        save(training, folder)
    with GracefulInterrupt() as interrupt:
        while not training.finished and not interrupt.requested:
            advance(training, folder, mixture, words, held_out, report)
    save(training, folder)
    if training.finished:
        report(f"the prior is in {folder / PRIOR}: lodestone generate PROMPT --prior {folder / PRIOR}")
    else:
        report(f"stopped at step {training.step}: lodestone prior train {folder} goes on")


def begin(folder: Path, settings: TrainingSettings, device: torch.device, report: Callable[[str], None]) -> Training:
    """The state before the next step."""
    if not has_checkpoint(folder):
        return Training(settings, device, read_start(settings))
    training = Training(settings, device)
    restore(training, folder)
    remove_leftovers(folder)
    forget_after(folder, training.step)
    report(f"resuming at step {training.step}")
    return training


def advance(
    training: Training,
    folder: Path,
    mixture: Mixture,
    words: Words,
    held_out: HeldOut | None,
    report: Callable[[str], None],
) -> None:
    """One step, and what is due after it."""
    began, settings = time.monotonic(), training.settings
    training.advance(mixture, words)
    training.spend(time.monotonic() - began)
    began = time.monotonic()
    if training.step % settings.report_every == 0 or training.finished:
        tell(training, folder, report)
    if training.step % settings.sheet_every == 0 or training.finished:
        show(training, folder, words, held_out, report)
    elif training.step % settings.validate_every == 0:
        validate(training, folder, held_out, averaged(training), report)
    if training.step % settings.save_every == 0:
        save(training, folder)
    training.spend(time.monotonic() - began)


def tell(training: Training, folder: Path, report: Callable[[str], None]) -> None:
    """Writes down the mean loss since the last report, and begins a new one."""
    settings, meter = training.settings, training.meter
    mean, pictures = round(meter.mean, 6), float(meter.counts.sum())
    training.losses.append((training.step, mean))
    speed = pictures / max(training.seconds - training.told, 1e-9)
    training.told = training.seconds
    rate = learning_rate(training.step - 1, settings, training.end)
    entry = {"step": training.step, "loss": mean, "loss_by_noise": meter.by_noise, "learning_rate": rate}
    append_metrics(folder, {**entry, "seconds": round(training.seconds, 1), "pictures_per_second": round(speed, 2)})
    meter.clear()
    end = training.end or f"({settings.minutes:g} minutes)"
    report(f"step {training.step}/{end}  loss {mean:.5f}  {speed:.1f} pictures/s")


def validate(
    training: Training, folder: Path, held_out: HeldOut | None, network: torch.nn.Module, report: Callable[[str], None]
) -> None:
    """Writes down the losses on held-out captions, if there is a world."""
    if held_out is not None:
        entry = held_out.measure(training, network)
        append_metrics(folder, {"step": training.step, **entry})
        report(
            f"step {training.step}  held-out captions: loss {entry['validation']:.5f}, "
            f"{entry['validation_without_cameras']:.5f} without cameras"
        )


def show(
    training: Training, folder: Path, words: Words, held_out: HeldOut | None, report: Callable[[str], None]
) -> None:
    """Validates, and writes a sheet of samples."""
    folder.mkdir(parents=True, exist_ok=True)
    network = averaged(training)
    validate(training, folder, held_out, network, report)
    write_picture(folder / "sheets" / f"step-{training.step:06d}.webp", draw_sheet(training, network, words))


def save(training: Training, folder: Path) -> None:
    """Writes the checkpoint and the prior with averaged weights."""
    save_checkpoint(training, folder)
    export(training, folder / PRIOR)
