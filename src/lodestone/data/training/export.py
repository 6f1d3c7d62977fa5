"""The trained prior as a folder in the diffusers format, which `lodestone --prior` loads."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from lodestone.data.training.checkpoint import read_checkpoint
from lodestone.data.training.denoising import noise_schedule
from lodestone.data.training.network import new_unet
from lodestone.data.training.settings import TrainingSettings
from lodestone.data.training.state import Training
from lodestone.priors.embedded import DRAFT, INDEX
from lodestone.prompts.quantization import quantized
from lodestone.storage import save_tensors, section, write_text

__all__ = ["export", "export_checkpoint"]


def export(training: Training, folder: Path) -> None:
    """The averaged network in half precision, drafts in eight bits, scheduler, index, settings with the losses."""
    draft = dict(training.draft.state_dict())
    write(folder, training.settings, training.average, draft, training.step, training.losses)


def export_checkpoint(training: Path, folder: Path) -> int:
    """The same of the checkpoint in a training's folder, which may be at work meanwhile; returns its step.

    Raises: SettingError if there is no whole checkpoint.
    """
    tensors, metadata, settings = read_checkpoint(training)
    average, draft = (section(tensors, name) for name in ("average", "draft"))
    write(folder, settings, average, draft, metadata["step"], metadata["losses"])
    step: int = metadata["step"]
    return step


def write(
    folder: Path,
    settings: TrainingSettings,
    average: Mapping[str, Tensor],
    draft: Mapping[str, Tensor],
    step: int,
    losses: Sequence[Sequence[int | float]],
) -> None:
    """Writes the folder beside its place, then moves file after file: each is whole at any time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        unet = new_unet(settings)
        unet.load_state_dict({name: p.cpu() for name, p in average.items()})
        unet.half().save_pretrained(beside / "unet")
        noise_schedule().save_pretrained(beside / "scheduler")
        save_tensors(beside / DRAFT, quantized(draft), {"hidden": settings.draft_hidden})
        card = {"settings": asdict(settings), "steps": step, "losses": losses}
        write_text(beside / "training.json", json.dumps(card, indent=1) + "\n")
        write_text(beside / INDEX, json.dumps(index_of(settings), indent=2) + "\n")
        move(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def index_of(settings: TrainingSettings) -> dict[str, object]:
    """The parts of the prior; version 0 knows no cameras and says nothing of them."""
    camera = {"camera": {"kind": "orbit", "features": settings.camera_features}} if settings.camera_features else {}
    return {
        "_class_name": "LodestonePipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "scheduler": ["diffusers", "DDPMScheduler"],
        "autoencoder": {"kind": "space_to_depth", "factor": settings.space_to_depth},
        "text_encoder": {"kind": "minilm", "tokens": settings.tokens},
        **camera,
    }


def move(source: Path, target: Path) -> None:
    """Moves every file; the index, by which a folder is known, comes last."""
    files = [path for path in source.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: path.name == INDEX):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o644)
        os.replace(path, place)


@torch.no_grad()
def averaged(training: Training) -> torch.nn.Module:
    """A network with the averaged weights, on the training's device."""
    network = new_unet(training.settings)
    network.load_state_dict(training.average)
    result: torch.nn.Module = network.to(training.device, memory_format=torch.channels_last).requires_grad_(False)
    return result
