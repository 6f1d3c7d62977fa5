"""How strong the colours of an object are."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lodestone.rendering.shading import to_linear

__all__ = ["Saturation", "chroma", "saturation"]

TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
"""Linear sRGB to CIE XYZ (IEC 61966-2-1)."""
BEND = (6 / 29) ** 3
"""Where CIELAB's cube root goes over into a line."""
NEAREST = 0.5 / 255
"""What is nearer to an end of the range is at its end once it is stored as a byte."""


@dataclass(frozen=True)
class Saturation:
    """Means over the pixels of the object, in all views."""

    chroma: float
    """CIELAB chroma, 0 for grey; 104.6 for pure red."""
    clipped: float
    """Share of the pixels that are 0 or 1 in a channel."""


def saturation(images: Float[Tensor, "v h w 3"], foreground: Bool[Tensor, "v h w"]) -> Saturation | None:
    """Of the pixels in the foreground; None if there are none."""
    pixels = images[foreground]
    if not len(pixels):
        return None
    ends = (pixels <= NEAREST) | (pixels >= 1 - NEAREST)
    return Saturation(float(chroma(pixels).mean()), float(ends.any(dim=-1).float().mean()))


def chroma(pixels: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
    """CIELAB chroma of sRGB values under their own white: `sqrt(a^2 + b^2)` (CIE 15)."""
    matrix = torch.tensor(TO_XYZ, device=pixels.device)
    relative = to_linear(pixels.clamp(0, 1)) @ (matrix / matrix.sum(dim=1, keepdim=True)).T
    x, y, z = bent(relative).unbind(dim=-1)
    return torch.hypot(500 * (x - y), 200 * (y - z))


def bent(ratio: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """CIELAB's f."""
    return torch.where(ratio > BEND, ratio.clamp(min=BEND) ** (1 / 3), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
