"""Samples of a training now and then: always the same captions, sides and noise."""

from typing import Any

import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from lodestone.data.training.mixture import Words
from lodestone.data.training.state import Training
from lodestone.export.pictures import to_bytes
from lodestone.priors.autoencoder import SpaceToDepth
from lodestone.priors.denoiser import PredictionType
from lodestone.priors.network import NetworkDenoiser
from lodestone.priors.noise import NoiseSchedule
from lodestone.priors.sampling import sample
from lodestone.prompts.camera import camera_features
from lodestone.prompts.conditioning import Conditioning, ConditioningSet
from lodestone.prompts.draft import draft_channels
from lodestone.rendering.cameras import SMALL_CAMERA

__all__ = ["draw_sheet"]

SIDES = 4
"""Azimuths from which each caption of the world is shown: 0, 90, 180, 270."""
FROM_ALL_SIDES = (
    "a red mug", "a blue teapot", "a car", "a cat", "a chair", "a house", "a guitar", "a shoe",
    "a banana", "a hamburger", "a red apple on a wooden table", "a cat beside a blue chair",
)  # fmt: skip
FROM_NOWHERE = (
    "a hamburger", "a banana", "a teapot", "a cactus", "a castle", "a robot", "a mushroom", "a rocket",
    "a guitar", "an airplane", "a dog face", "a cat",
)  # fmt: skip
COLUMNS, LABEL = 3, 14
STEPS, GUIDANCE = 16, 3.0


@torch.no_grad()
def draw_sheet(training: Training, network: Any, words: Words, *, steps: int = STEPS) -> Image.Image:
    """Strips of four: what is asked for from four sides, if the network knows cameras, and emoji without a camera."""
    texts: list[str] = []
    labels: list[str] = []
    camera: list[Tensor] = []
    features = training.settings.camera_features
    if features:
        orbit = SMALL_CAMERA.at(20.0).viewpoints(SIDES)
        labels += FROM_ALL_SIDES
        texts += [text for text in FROM_ALL_SIDES for _ in range(SIDES)]
        camera += [camera_features(orbit)] * len(FROM_ALL_SIDES)
    for start in range(0, len(FROM_NOWHERE), SIDES):
        labels.append(", ".join(FROM_NOWHERE[start : start + SIDES]))
    texts += FROM_NOWHERE
    camera.append(torch.zeros(len(FROM_NOWHERE), features))
    pictures = samples(training, network, words, texts, torch.cat(camera), steps)
    return laid_out(labels, pictures.unflatten(0, (-1, SIDES)))


def samples(
    training: Training, network: Any, words: Words, texts: list[str], camera: Float[Tensor, "b k"], steps: int
) -> Float[Tensor, "b 3 h w"]:
    """One sample for each text and camera, all of the same noise in every call."""
    settings = training.settings
    tokens, pooled = (part.to(training.device) for part in words.condition(texts))
    pooled = torch.cat([pooled, camera.to(pooled)], dim=1)
    read = torch.cat([training.draft.read(texts, words.embed), camera], dim=1)
    picture = draft_channels(training.draft(read.to(pooled)), settings.side)
    positive = Conditioning(tokens=tokens, pooled=pooled, picture=picture)
    told = ConditioningSet(positive=positive, null=positive.map(torch.zeros_like))
    schedule = NoiseSchedule.from_alphas_cumprod(training.alphas_cumprod.cpu())
    denoiser = NetworkDenoiser(network, schedule, PredictionType.CLEAN)
    rng = torch.Generator().manual_seed(0)
    latents = sample(denoiser, told, steps=steps, guidance_scale=GUIDANCE, rng=rng)
    return SpaceToDepth(settings.space_to_depth).decode(latents).cpu()


def laid_out(labels: list[str], strips: Float[Tensor, "n 4 3 h w"]) -> Image.Image:
    """Strips with their labels above, in columns."""
    _, count, _, height, width = strips.shape
    rows = -(-len(labels) // COLUMNS)
    step_x, step_y = count * width + 8, height + LABEL
    sheet = Image.new("RGB", (COLUMNS * step_x, rows * step_y), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (label, strip) in enumerate(zip(labels, strips, strict=True)):
        corner = (i // rows * step_x, i % rows * step_y)
        draw.text((corner[0] + 2, corner[1] + 1), label, fill="black")
        row = torch.cat(list(strip), dim=2).permute(1, 2, 0)
        sheet.paste(Image.fromarray(to_bytes(row)), (corner[0], corner[1] + LABEL))
    return sheet
