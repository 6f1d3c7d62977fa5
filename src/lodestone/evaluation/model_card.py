"""The card of a trained prior: what it is, what it was trained on and how, its loss curve and its samples.

python -m lodestone.evaluation.model_card FOLDER ["a sentence about this training"]
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from lodestone.arrays import Images
from lodestone.export.pictures import to_bytes, write_picture
from lodestone.priors.denoiser import Prior
from lodestone.priors.embedded import load_embedded
from lodestone.priors.sampling import sample
from lodestone.prompts.conditioning import Conditioning, ConditioningSet
from lodestone.prompts.prompt import EncodedPrompt, PromptSettings
from lodestone.rendering.cameras import SMALL_CAMERA
from lodestone.storage import write_text

__all__ = ["draw_loss", "sample_sheet", "sheet_of_sides", "write_card"]

SHOWN = (
    "a hamburger", "a banana", "a red apple", "a teapot", "a cactus", "a castle", "a robot", "a mushroom",
    "a pizza", "a rocket", "a guitar", "an airplane", "a dog face", "a cat", "a snowman", "an automobile",
)  # fmt: skip
"""Captions of the sample sheet, the same for every training."""

CARD = """# Lodestone embedded prior, version {version}

A text-conditioned pixel-space diffusion model at 64 x 64 in the diffusers folder format: a `UNet2DConditionModel` on
blocks of {factor} x {factor} pixels moved into channels, which predicts the clean picture, and a small network that
drafts the mean picture of a caption (`draft.safetensors`), which the U-Net sees as extra channels. Text states come
from all-MiniLM-L6-v2. Stored in half precision, drafts in eight bits, {megabytes:.1f} MB in all.

- **Data**: {data}
- **Training**: {steps} steps of {batch} pictures with `lodestone prior train`, settings in `training.json`. {note}
- **Knows**: {knows}
- **Licence**: Apache-2.0 for the weights; the pictures' notices are in `data/emoji/LICENSE.md` of the package.

Loss (mean of each 100 steps, logarithmic scale):

![loss](loss.png)

Two samples for each of: {shown} (25 DDIM steps, guidance scale 3):

![samples](samples.webp)
{sides}"""

EMOJI = (
    "the 1,852 Fluent 3D emoji (MIT) that ship with Lodestone, with Unicode CLDR names and keywords; nine of ten\n"
    "  drawn emoji show a thing with a body (animals, food, places, activities, objects)."
)
DATA = {
    0: EMOJI,
    1: "views of Lodestone's procedural world, {world:.0%} of the pictures, with captions and cameras; and\n  " + EMOJI,
}
KNOWS = {
    0: "one view of each thing, turned as in its picture. A 3D result made with it has the same face on all sides.",
    1: 'the 114 categories of the world from all sides, told by a camera or by words such as ", back view"; of other\n'
    "  things one view, turned as in its picture.",
}
"""By version: a prior that knows cameras is of version 1."""

SIDES = """
From azimuths 0, 45, ..., 315, one sample each: {shown}

![sides](sides.webp)
"""
TURNED = ("a red mug", "a blue car", "an elephant", "a green chair", "a hamburger", "a yellow sailboat on snow")
"""Captions of the sheet of a prior that knows cameras."""


def draw_loss(losses: Sequence[Sequence[float | int]], width: int = 640, height: int = 240) -> Image.Image:
    """The loss over the steps, on a logarithmic scale with its ends written beside it."""
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    points = torch.tensor(losses, dtype=torch.float64)
    steps, values = points[:, 0], points[:, 1].log()
    span = (values.max() - values.min()).clamp(min=1e-9)
    x = 70 + (width - 90) * (steps - steps[0]) / (steps[-1] - steps[0]).clamp(min=1)
    y = 20 + (height - 50) * (values.max() - values) / span
    draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=(30, 80, 180), width=2)
    for value, place in ((values.max(), 14), (values.min(), height - 38)):
        draw.text((8, place), f"{value.exp():.4f}", fill="black")
    draw.text((70, height - 22), f"step {int(steps[0])}", fill="black")
    draw.text((width - 90, height - 22), f"step {int(steps[-1])}", fill="black")
    return picture


def sample_sheet(prior: Prior) -> Image.Image:
    """Two rows of samples, one column for each caption."""
    positive = prior.text_encoder.encode(list(SHOWN))
    return sheet([drawn_row(prior, positive, seed) for seed in (0, 1)])


def sheet_of_sides(prior: Prior) -> Image.Image:
    """A row of eight azimuths for each caption."""
    around = SMALL_CAMERA.at(15.0).viewpoints(8)
    rows = []
    for text in TURNED:
        prompt = EncodedPrompt.encode(PromptSettings(text=text, view_dependent=False), prior.text_encoder)
        rows.append(drawn_row(prior, prompt.for_viewpoints(around).positive, 0))
    return sheet(rows)


def drawn_row(prior: Prior, positive: Conditioning, seed: int) -> Images:
    """One sample for each condition."""
    conditioning = ConditioningSet(positive=positive, null=prior.text_encoder.encode([""]).expand(len(positive)))
    rng = torch.Generator().manual_seed(seed)
    return prior.autoencoder.decode(sample(prior.denoiser, conditioning, steps=25, guidance_scale=3.0, rng=rng))


def sheet(rows: Sequence[Images]) -> Image.Image:
    """Rows of pictures."""
    picture = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    return Image.fromarray(to_bytes(picture.permute(1, 2, 0)))


def write_card(folder: Path, note: str = "") -> None:
    """Writes `README.md` and its pictures into the folder of a trained prior."""
    training: dict[str, Any] = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    prior = load_embedded(folder, device=torch.device("cpu"))
    version = int(prior.text_encoder.camera is not None)
    write_picture(folder / "loss.png", draw_loss(training["losses"]))
    write_picture(folder / "samples.webp", sample_sheet(prior))
    if version:
        write_picture(folder / "sides.webp", sheet_of_sides(prior))
    weights = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    settings = training["settings"]
    text = CARD.format(
        version=version,
        data=DATA[version].format(world=settings.get("world_share", 0.0)),
        knows=KNOWS[version],
        factor=settings["space_to_depth"],
        megabytes=weights / 1e6,
        steps=training["steps"],
        batch=settings["batch"],
        note=note,
        shown=", ".join(SHOWN),
        sides=SIDES.format(shown=", ".join(TURNED)) if version else "",
    )
    write_text(folder / "README.md", text)


if __name__ == "__main__":
    write_card(Path(sys.argv[1]), " ".join(sys.argv[2:]))
