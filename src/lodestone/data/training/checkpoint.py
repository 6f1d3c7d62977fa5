"""Checkpoints: one file that is whole or absent, and from which a training goes on to the bit."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lodestone.data.training.settings import TrainingSettings, stored_settings
from lodestone.data.training.state import Training
from lodestone.errors import SettingError
from lodestone.optimize.moments import set_moments
from lodestone.storage import load_tensors, save_tensors

__all__ = ["CHECKPOINT", "has_checkpoint", "read_checkpoint", "remove_leftovers", "restore", "save_checkpoint"]

CHECKPOINT = "training.safetensors"
"""File of a training's folder that holds everything."""


def has_checkpoint(folder: Path) -> bool:
    """Whether a training has begun there."""
    return (folder / CHECKPOINT).exists()


def save_checkpoint(training: Training, folder: Path) -> None:
    """Writes everything; the file before it stays until the new one is on the disk."""
    metadata = {
        "step": training.step,
        "seconds": training.seconds,
        "told": training.told,
        "end": training.end,
        "losses": training.losses,
        "settings": asdict(training.settings),
    }
    save_tensors(folder / CHECKPOINT, training.tensors(), metadata)


def remove_leftovers(folder: Path) -> None:
    """Removes half-written files of a training that was killed; no other may run in the folder."""
    for path in folder.glob(f".????????{Path(CHECKPOINT).suffix}"):
        path.unlink(missing_ok=True)
    for path in folder.glob(".prior-*"):
        shutil.rmtree(path, ignore_errors=True)


def read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], TrainingSettings]:
    """Tensors, metadata and settings of the training in a folder.

    Raises: SettingError if there is none, or its checkpoint is damaged or no checkpoint.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        raise SettingError(f"there is no training in {folder}: begin one with `lodestone prior train {folder}`")
    remedy = "restore it from a copy, or delete it to begin anew"
    try:
        tensors, metadata = load_tensors(path)
    except SettingError as error:
        raise SettingError(f"{path} is damaged: {remedy}") from error
    kinds = {"step": int, "losses": list, "settings": dict}
    if not all(isinstance(metadata.get(name), kind) for name, kind in kinds.items()) or "generator" not in tensors:
        raise SettingError(f"{path} is no checkpoint of a training: {remedy}")
    return tensors, metadata, stored_settings(metadata["settings"])


@torch.no_grad()
def restore(training: Training, folder: Path) -> None:
    """Continues where `save_checkpoint` stopped.

    Raises: SettingError if the checkpoint is damaged or belongs to another network.
    """
    tensors, metadata, settings = read_checkpoint(folder)
    copy_into(training.draft.named_parameters(), "draft", tensors, folder)
    copy_into(training.unet.named_parameters(), "unet", tensors, folder)
    copy_into(training.average.items(), "average", tensors, folder)
    set_moments("optimizer", training.unet, training.optimizer, tensors)
    training.draft.requires_grad_(False)
    training.rng.set_state(tensors["generator"])
    training.step, training.losses = metadata["step"], [tuple(entry) for entry in metadata["losses"]]
    training.seconds = metadata.get("seconds", 0.0)
    training.told = metadata.get("told", training.seconds)
    if training.settings.minutes and settings.minutes == training.settings.minutes:
        training.end = metadata.get("end")
    if "meter.sums" in tensors:
        training.meter.sums, training.meter.counts = tensors["meter.sums"], tensors["meter.counts"]


def copy_into(parameters: Any, part: str, tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Copies one part's tensors.

    Raises: SettingError if they are not those of this network.
    """
    for name, p in parameters:
        known = tensors.get(f"{part}.{name}")
        if known is None or known.shape != p.shape:
            raise SettingError(f"{folder} holds another network: train into another folder")
        p.copy_(known)
