"""The project's metric: can a classifier that never saw the scene tell which of all shipped pictures was asked for?

Features f of EfficientNet-Lite0 (`lodestone.evaluation.efficientnet`) are made unit length. With views v_1 .. v_V of a
scene on white and every picture p of the shipped set on white,

    score(p) = < f(p), mean_i f(v_i) >    (up to a factor that all pictures share: the mean of the views' cosines)

and the rank of the scene is the place of the picture whose name was the prompt, 1 being the best of all.

The mean is over all given views, because an object that is right from one side only must not pass. Measured on 16
pictures blown up into reliefs and seen from 8 sides (`benchmarks/recognition_relief.py`): painting the back plain takes
recall@1 of the mean from 0.75 to 0.38, that of the best view only from 0.94 to 0.88. The price is that narrow sides and
faithful backs, which no shipped picture shows, lower the score of good objects too: compare ranks only between equal
sets of views, and scenes with scenes.
"""

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from lodestone.arrays import Images
from lodestone.data.emoji import EmojiSet, composite, emoji_folder, load_emoji
from lodestone.errors import SettingError
from lodestone.evaluation.efficientnet import SIDE, WEIGHTS_SHA256, EfficientNetLite0, load_efficientnet
from lodestone.storage import load_tensors, save_tensors

__all__ = ["PictureIndex", "Recall", "cache_folder", "unit_features"]

BATCH = 16
PREPARATION = f"white background, {SIDE} bilinear antialiased, unit pooled features, 1"
"""Part of the cache's key: a change of what the features mean must change this text."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PictureIndex:
    """Unit-length features of every picture that a scene is compared with; row i belongs to picture i."""

    network: EfficientNetLite0
    features: Float[Tensor, "n 1280"]

    def __len__(self) -> int:
        return self.features.shape[0]

    @classmethod
    def build(cls, pictures: EmojiSet, network: EfficientNetLite0) -> "PictureIndex":
        """Computes the features of all pictures, about 0.05 s for each."""
        parts = [unit_features(network, on_white(pictures, start)) for start in range(0, len(pictures), BATCH)]
        return cls(network, torch.cat(parts))

    @classmethod
    def load(cls, folder: Path | None = None) -> "PictureIndex":
        """The index of the shipped set, from the cache in `folder` (default: `cache_folder()`) or built and cached now.

        Raises: SettingError if the classifier's weights are missing.
        """
        network = load_efficientnet()
        path = (folder or cache_folder()) / f"pictures-{cache_key()}.safetensors"
        try:
            return cls(network, load_tensors(path)[0]["features"])
        except SettingError:
            logger.info("computing the features of all pictures once (about two minutes)")
        index = cls.build(load_emoji(), network)
        try:
            save_tensors(path, {"features": index.features}, {"preparation": PREPARATION})
        except SettingError as error:
            logger.warning("the picture features are not kept for the next time: %s", error)
        return index

    def scores(self, views: Images) -> Float[Tensor, " n"]:
        """Cosine between the mean feature of the views and every picture."""
        return self.features @ normalize(unit_features(self.network, views).mean(dim=0), dim=0)

    def rank(self, views: Images, target: int) -> int:
        """Place of picture `target` among all pictures, 1 = most like the views (any size, [0, 1], on white).

        A tie counts against the target.

        Raises: SettingError if there is no such picture or the views hold numbers that are not finite.
        """
        if not 0 <= target < len(self):
            raise SettingError(f"picture {target} does not exist: choose a target from 0 to {len(self) - 1}")
        if not len(views) or not views.isfinite().all():
            raise SettingError("the views are empty or not finite, so they have no rank: render the scene again")
        scores = self.scores(views)
        return int((scores >= scores[target]).sum())


@torch.no_grad()
def unit_features(network: EfficientNetLite0, images: Images) -> Float[Tensor, "b 1280"]:
    """Pooled features of length one."""
    parts = [network.features(part) for part in images.clamp(0, 1).split(BATCH)]
    return normalize(torch.cat(parts), dim=-1)


def on_white(pictures: EmojiSet, start: int) -> Images:
    """One batch of pictures over white."""
    rgba = pictures.rgba[start : start + BATCH]
    return composite(rgba, torch.ones(len(rgba), 3))


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/lodestone`, or `~/.cache/lodestone`."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "lodestone"


def cache_key() -> str:
    """Changes whenever the weights, the pictures or their preparation do."""
    atlas = hashlib.sha256((emoji_folder() / "atlas.webp").read_bytes()).hexdigest()
    return hashlib.sha256(f"{WEIGHTS_SHA256} {atlas} {PREPARATION}".encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Recall:
    """How often the asked-for picture is found, over several scenes."""

    recall_at_1: float
    """Share of scenes with rank 1, in [0, 1]."""
    recall_at_10: float
    median_rank: float

    @classmethod
    def from_ranks(cls, ranks: Sequence[int]) -> "Recall":
        """Summary of one rank for each scene (1 = best).

        Raises: SettingError if there are none.
        """
        if not ranks:
            raise SettingError("recall needs at least one rank: evaluate at least one scene")
        return cls(
            recall_at_1=share_within(ranks, 1),
            recall_at_10=share_within(ranks, 10),
            median_rank=float(median(ranks)),
        )


def share_within(ranks: Sequence[int], limit: int) -> float:
    """The share of ranks that are at most `limit`."""
    return sum(rank <= limit for rank in ranks) / len(ranks)
