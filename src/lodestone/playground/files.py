"""The files of a flat run: every particle, a sheet of them, their course over the steps, and measurements."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from lodestone.arrays import Images
from lodestone.export.pictures import to_bytes, write_picture
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.journal import Journal
from lodestone.optimize.run_folder import RunFolder
from lodestone.optimize.state import OptimizationState
from lodestone.playground.metrics import measure, spent
from lodestone.playground.sheets import sheet
from lodestone.priors.denoiser import AbstractAutoencoder
from lodestone.scenes.image import ImageScene, ImageSettings, Space
from lodestone.scenes.scene import Rendering
from lodestone.storage import write_text

__all__ = ["column_of", "pictures_of", "write_flat", "write_start"]

MOST_COLUMNS = 24
"""Of the sheet that shows the course."""


@torch.no_grad()
def pictures_of(scene: ImageScene, autoencoder: AbstractAutoencoder) -> Images:
    """Every particle as a picture in [0, 1]."""
    particles = scene.particles.detach()
    return particles.clamp(0, 1) if scene.space is Space.PICTURE else decode(particles, autoencoder)


def decode(latents: torch.Tensor, autoencoder: AbstractAutoencoder) -> Images:
    """One picture after the other, which bounds the memory."""
    return torch.cat([autoencoder.decode(part) for part in latents.split(1)])


def to_images(pictures: Images) -> list[Image.Image]:
    """Particles for PIL."""
    return [Image.fromarray(to_bytes(picture.permute(1, 2, 0))) for picture in pictures]


def column_of(autoencoder: AbstractAutoencoder) -> Callable[[Rendering], Image.Image]:
    """What makes a preview of a flat rendering: all particles below each other."""

    @torch.no_grad()
    def column(rendering: Rendering) -> Image.Image:
        latents = rendering.latents
        pictures = rendering.color.permute(0, 3, 1, 2) if latents is None else decode(latents, autoencoder)
        return stacked(pictures)

    return column


def stacked(pictures: Images) -> Image.Image:
    """Particles below each other."""
    return Image.fromarray(to_bytes(torch.cat(list(pictures.clamp(0, 1)), dim=1).permute(1, 2, 0)))


def write_start(
    journal: Journal, state: OptimizationState, scene: ImageScene, autoencoder: AbstractAutoencoder
) -> None:
    """The particles before the first step, as a preview and, since it holds the source of an edit, as a checkpoint."""
    write_picture(preview(journal.folder, 0), stacked(pictures_of(scene, autoencoder)))
    journal.checkpoint(state)


def preview(folder: RunFolder, step: int) -> Path:
    """Path of the preview after `step` steps."""
    return folder.path / "preview" / f"step-{step:06d}.png"


def course(folder: RunFolder, particles: int, steps: int) -> dict[int, list[Image.Image]]:
    """The particles of every preview before `steps`, by step; thinned out if there are many."""
    found = {}
    for path in sorted((folder.path / "preview").glob("step-*.png")):
        step = int(re.sub(r"\D", "", path.stem))
        if step < steps:
            with Image.open(path) as strip:
                found[step] = [Image.fromarray(part) for part in np.split(np.asarray(strip), particles)]
    every = -(-len(found) // (MOST_COLUMNS - 1))
    return {step: found[step] for step in list(found)[::every]} if found else {}


def write_flat(
    folder: RunFolder, experiment: Experiment, state: OptimizationState, autoencoder: AbstractAutoencoder
) -> list[Path]:
    """Writes sheet.png, progress.png, metrics.json and every particle; of an edit before-after.png and edited.png.

    Raises: SettingError if a file cannot be written.
    """
    assert isinstance(state.scene, ImageScene) and isinstance(experiment.scene, ImageSettings)
    pictures = pictures_of(state.scene, autoencoder).cpu()
    finished, caption = to_images(pictures), experiment.prompt.text
    columns = {**course(folder, len(finished), state.step), state.step: finished}
    progress = sheet(
        list(zip(*columns.values(), strict=True)),
        caption=caption,
        column_labels=[f"step {step}" if index == 0 else str(step) for index, step in enumerate(columns)],
    )
    named: dict[str, Image.Image] = {"progress.png": progress}
    if state.scene.source_latents is None:
        named |= {"sheet.png": sheet([finished], caption=caption)}
        named |= {f"particle-{index}.png": particle for index, particle in enumerate(finished)}
    else:
        before = to_images(decode(state.scene.source_latents, autoencoder).cpu())
        caption = f"{experiment.prompt.source or 'before'} → {caption}"
        named |= {"before-after.png": sheet([[*before, *finished]], caption=caption)}
        named |= {edited_name(index): particle for index, particle in enumerate(finished)}
    for name, picture in named.items():
        write_picture(folder.asset / name, picture)
    write_text(folder.asset / "metrics.json", json.dumps(report(folder, experiment, state, pictures), indent=2) + "\n")
    return [*(folder.asset / name for name in named), folder.asset / "metrics.json"]


def edited_name(index: int) -> str:
    """edited.png, edited-1.png, ..."""
    return f"edited-{index}.png" if index else "edited.png"


def report(folder: RunFolder, experiment: Experiment, state: OptimizationState, pictures: Images) -> dict[str, Any]:
    """Everything that is measured of a run."""
    described = {"prompt": experiment.prompt.text, "estimator": type(experiment.estimator).__name__}
    return {
        **described,
        "prior": experiment.prior,
        **measure(pictures, experiment.prompt.text),
        **spent(folder.path / "metrics.jsonl", len(pictures)),
    }
