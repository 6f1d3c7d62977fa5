"""The picture that an edit begins as, from any file that PIL reads."""

import struct
import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.priors.denoiser import Prior
from lodestone.scenes.image import ImageScene

__all__ = ["begin_as_picture", "read_picture"]

MOST_PIXELS = 64 * 2**20
"""Of a picture that is read: 256 MB in memory."""

BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, OverflowError, MemoryError, struct.error)
"""What PIL's readers raise on files that are cut off, altered or of no known format."""


def read_picture(path: Path, size: int) -> Float[Tensor, "1 3 size size"]:
    """The central square of a picture, upright, over white, at the given size, in [0, 1].

    Raises: SettingError if the file is missing, no picture, damaged or too large.
    """
    remedy = "give a picture such as a PNG, JPEG or WebP file"
    if not path.exists():
        raise SettingError(f"there is no picture {path}: check its name")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PIL, about size and odd metadata: the limit is ours
            with Image.open(path) as opened:
                if (pixels := opened.width * opened.height) > MOST_PIXELS:
                    raise SettingError(
                        f"{path} has {pixels} pixels: make it smaller, at most {MOST_PIXELS} can be read"
                    )
                picture = on_white(ImageOps.exif_transpose(opened))
    except SettingError:
        raise
    except (Image.DecompressionBombError, *BROKEN) as error:
        raise SettingError(f"{path} cannot be read as a picture ({' '.join(str(error).split())}): {remedy}") from error
    fitted = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(fitted).copy()).permute(2, 0, 1)[None].float() / 255


def on_white(picture: Image.Image) -> Image.Image:
    """Transparent parts become white; 16-bit greys keep their range."""
    if picture.mode.startswith("I;16"):
        picture = Image.fromarray((np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8))
    transparent = picture.convert("RGBA")
    white = Image.new("RGBA", transparent.size, "white")
    return Image.alpha_composite(white, transparent).convert("RGB")


@torch.no_grad()
def begin_as_picture(scene: ImageScene, path: Path, prior: Prior) -> None:
    """Makes every particle the picture in a file and keeps its latents as the source of the edit.

    Raises: SettingError if the file is no picture that can be read.
    """
    picture = read_picture(path, prior.image_size).to(scene.particles.device)
    scene.begin_as(picture, prior.autoencoder.encode(picture))
