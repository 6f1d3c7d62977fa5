"""The captioned picture set that ships with the package: 64 x 64 Fluent 3D emoji with an alpha channel.

The pictures are Microsoft's Fluent emoji (MIT) and the captions the names and keywords of Unicode CLDR
(Unicode-3.0) as packaged by emojibase (MIT); the notices stand in `data/emoji/LICENSE.md`.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

__all__ = ["CELL", "EmojiSet", "composite", "emoji_folder", "load_emoji"]

CELL = 64
"""Side of one picture in the atlas, in pixels."""


@dataclass(frozen=True)
class EmojiSet:
    """Pictures with captions; row i of every field belongs to picture i."""

    rgba: UInt8[Tensor, "n 4 64 64"]
    """Straight (not premultiplied) colour and alpha."""
    names: tuple[str, ...]
    keywords: tuple[tuple[str, ...], ...]
    groups: tuple[str, ...]
    embeddings: Float[Tensor, "n dim"]
    """Unit-length sentence embedding of each name, from the text encoder that the package pins."""

    def __len__(self) -> int:
        return len(self.names)


def emoji_folder() -> Path:
    """Folder that holds the atlas, its captions and its licence notices."""
    return Path(str(resources.files("lodestone"))) / "data" / "emoji"


@cache
def load_emoji() -> EmojiSet:
    """Reads the shipped atlas; about 0.2 s, then kept for the life of the process."""
    folder = emoji_folder()
    entries = json.loads((folder / "captions.json").read_text(encoding="utf-8"))["pictures"]
    with Image.open(folder / "atlas.webp") as picture:
        sheet = np.asarray(picture.convert("RGBA"))
    columns = sheet.shape[1] // CELL
    cells = sheet.reshape(-1, CELL, columns, CELL, 4).transpose(0, 2, 4, 1, 3).reshape(-1, 4, CELL, CELL)
    return EmojiSet(
        rgba=torch.from_numpy(np.ascontiguousarray(cells[: len(entries)])),
        names=tuple(entry["name"] for entry in entries),
        keywords=tuple(tuple(entry["keywords"]) for entry in entries),
        groups=tuple(entry["group"] for entry in entries),
        embeddings=load_file(folder / "embeddings.safetensors")["names"].float(),
    )


def composite(rgba: UInt8[Tensor, "n 4 h w"], background: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3 h w"]:
    """Lays straight-alpha pictures over plain backgrounds: `alpha * colour + (1 - alpha) * background`, in [0, 1]."""
    color, alpha = rgba[:, :3].float() / 255, rgba[:, 3:].float() / 255
    return alpha * color + (1 - alpha) * background[:, :, None, None]
