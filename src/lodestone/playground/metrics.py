"""What can be measured of finished particles, and of how they were made."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lodestone.arrays import Images
from lodestone.data.emoji import load_emoji
from lodestone.errors import SettingError
from lodestone.evaluation.efficientnet import EfficientNetLite0, load_efficientnet
from lodestone.evaluation.recognition import PictureIndex, cache_folder, cache_key, unit_features
from lodestone.priors.empirical import undress
from lodestone.storage import load_tensors

__all__ = ["clipped_share", "diversity", "measure", "ranks", "saturation", "spent", "table"]

COLORLESS = 0.05
"""Pixels of a smaller HSV saturation are grey, white or black."""

LOGGED = ("auxiliary", "slot_displacement", "slot_loss", "slot_loss_at_start")
"""What an adaptive estimator notes; the newest value of each is kept."""


def measure(pictures: Images, prompt: str) -> dict[str, Any]:
    """Ranks, diversity and colours of particles in [0, 1]."""
    (spread, unit), places = diversity(pictures), ranks(pictures, prompt)
    return {
        "ranks": places,
        "median_rank": None if places is None else median(places),
        "diversity": rounded(spread),
        "diversity_of": unit,
        "saturation": rounded(float(saturation(pictures).mean())),
        "clipped_share": rounded(clipped_share(pictures)),
    }


def rounded(number: float) -> float:
    """Four significant digits."""
    return float(f"{number:.4g}")


def saturation(pictures: Images) -> Float[Tensor, "b height width"]:
    """HSV saturation `(max - min) / max` of every pixel; 0 for black."""
    largest, smallest = pictures.amax(dim=1), pictures.amin(dim=1)
    return (largest - smallest) / largest.clamp(min=1e-6)


def clipped_share(pictures: Images) -> float:
    """The share of pixels with a channel at 0 or 1; grey, white and black pixels do not count."""
    at_limit: Bool[Tensor, "b height width"] = ((pictures <= 0) | (pictures >= 1)).any(dim=1)
    return float((at_limit & (saturation(pictures) > COLORLESS)).float().mean())


def diversity(pictures: Images) -> tuple[float, str]:
    """Mean distance between two particles, and what it was measured in; 0 for one particle.

    In the unit-length features of EfficientNet-Lite0; in pixels (root mean square) where its weights are missing.
    """
    try:
        points, unit = unit_features(classifier(), pictures), "features"
    except SettingError:
        points, unit = pictures.flatten(1) / pictures[0].numel() ** 0.5, "pixels"
    return (float(torch.pdist(points).mean()) if len(pictures) > 1 else 0.0), unit


def ranks(pictures: Images, prompt: str) -> list[int] | None:
    """The place of the prompt's own picture among all shipped ones, for each particle (1 is the best).

    None if the prompt is no shipped picture's name, or the features of those pictures have not been computed yet
    (`PictureIndex.load` does so once, in two minutes).
    """
    names = load_emoji().names
    cached = cache_folder() / f"pictures-{cache_key()}.safetensors"
    if undress(prompt) not in names or not cached.is_file():
        return None
    index, target = known_pictures(cached), names.index(undress(prompt))
    return [index.rank(picture[None], target) for picture in pictures]


@cache
def classifier() -> EfficientNetLite0:
    """The network of the metric, loaded once for all runs of a process.

    Raises: SettingError if its weights are missing.
    """
    return load_efficientnet()


@cache
def known_pictures(path: Path) -> PictureIndex:
    """The features of all shipped pictures in a file."""
    return PictureIndex(classifier(), load_tensors(path)[0]["features"])


def spent(metrics: Path, views: int) -> dict[str, Any]:
    """What a run's `metrics.jsonl` says: seconds, denoiser calls, and the newest losses."""
    lines = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    newest = {name: line[name] for name in LOGGED for line in lines if name in line}
    return {
        "steps": len(lines),
        "denoiser_calls": views * sum(line.get("denoiser_calls", 0) for line in lines),
        "training_steps": sum("auxiliary" in line for line in lines),
        "seconds": rounded(sum(sum(line["seconds"].values()) for line in lines)),
        **newest,
    }


def table(rows: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """The measurements of several estimators, one line for each."""
    columns = ("median_rank", "diversity", "saturation", "clipped_share", "denoiser_calls", "training_steps", "seconds")
    lines = [["estimator", *(name.replace("_", " ") for name in columns)]]
    lines += [[name, *(shown(found.get(column)) for column in columns)] for name, found in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines)


def shown(value: Any) -> str:
    """A number in a table."""
    return "-" if value is None else f"{value:g}"
