"""Pictures as they come out of small priors and of 3D: moved, blurred, coarse, noisy, glaring, with parts missing.

The judge is trained on these, and its accuracy is measured on them and on clean renderings. Hues stay, because colours
have names.
"""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate

from lodestone.arrays import Images

__all__ = ["clean", "degrade"]

WHITE_SHARE = 0.5
"""White backgrounds; the others are plain random colours or go from one to another."""
GRAY = (0.299, 0.587, 0.114)


def clean(rgba: UInt8[Tensor, "b 4 h w"]) -> Images:
    """On white."""
    color, mask = rgba[:, :3] / 255, rgba[:, 3:] / 255
    return mask * color + (1 - mask)


def degrade(rgba: UInt8[Tensor, "b 4 h w"], rng: torch.Generator) -> Images:
    """Each picture in its own way."""
    color, mask = rgba[:, :3] / 255, rgba[:, 3:] / 255
    moved = move(torch.cat([mask * color, mask], dim=1), rng)
    pictures = moved[:, :3] + (1 - moved[:, 3:]) * backgrounds(rgba, rng)
    for change, probability in CHANGES:
        rows = chance(pictures, probability, rng).nonzero()[:, 0]
        pictures = pictures.index_copy(0, rows, change(pictures[rows], rng)) if len(rows) else pictures
    return pictures.clamp(0, 1)


def chance(pictures: Tensor, probability: float, rng: torch.Generator) -> Bool[Tensor, " b"]:
    """Which pictures are changed."""
    return torch.rand(len(pictures), generator=rng) < probability


def between(pictures: Tensor, low: float, high: float, rng: torch.Generator) -> Float[Tensor, "b 1 1 1"]:
    """A number for each picture."""
    return low + (high - low) * torch.rand(len(pictures), 1, 1, 1, generator=rng)


def move(rgba: Float[Tensor, "b 4 h w"], rng: torch.Generator) -> Float[Tensor, "b 4 h w"]:
    """Up to a sixteenth of the picture away, larger or smaller by a fifth."""
    transform = torch.zeros(len(rgba), 2, 3)
    transform[:, 0, 0] = transform[:, 1, 1] = between(rgba, 0.85, 1.25, rng).flatten()
    transform[:, :, 2] = 0.25 * torch.rand(len(rgba), 2, generator=rng) - 0.125
    grid = affine_grid(transform, list(rgba.shape), align_corners=False)
    return grid_sample(rgba, grid, align_corners=False)


def backgrounds(like: Tensor, rng: torch.Generator) -> Float[Tensor, "b 3 h w"]:
    """White, plain, or from one colour at the top to another at the bottom."""
    height, width = like.shape[-2:]
    top, bottom = torch.rand(2, len(like), 3, 1, 1, generator=rng)
    plain, white = chance(like, 0.5, rng), chance(like, WHITE_SHARE, rng)
    bottom[plain] = top[plain]
    top[white] = bottom[white] = 1.0
    return (top + (bottom - top) * torch.linspace(0, 1, height)[:, None]).expand(-1, -1, -1, width)


def recolor(pictures: Images, rng: torch.Generator) -> Images:
    """Paler or glaring, darker or brighter, with less or more contrast."""
    gray = (pictures * torch.tensor(GRAY).view(3, 1, 1)).sum(dim=1, keepdim=True)
    glaring = gray + (pictures - gray) * between(pictures, 0.75, 1.5, rng)
    contrast = 0.5 + (glaring - 0.5) * between(pictures, 0.85, 1.25, rng)
    return (contrast + between(pictures, -0.07, 0.07, rng)).clamp(0, 1)


def soften(pictures: Images, rng: torch.Generator) -> Images:
    """Means of 3 x 3 pixels."""
    return avg_pool2d(pictures, 3, stride=1, padding=1, count_include_pad=False)


def coarsen(pictures: Images, rng: torch.Generator) -> Images:
    """As if seen with fewer pixels: a half or a third along each side, the same for all."""
    side = pictures.shape[-1]
    few = side // int(torch.randint(2, 4, (), generator=rng))
    return interpolate(interpolate(pictures, (few, few), mode="area"), (side, side), mode="bilinear")


def roughen(pictures: Images, rng: torch.Generator) -> Images:
    """With noise of single pixels."""
    return pictures + torch.randn(pictures.shape, generator=rng) * between(pictures, 0.0, 0.08, rng)


def blotch(pictures: Images, rng: torch.Generator) -> Images:
    """With noise that is wide."""
    height, width = pictures.shape[-2:]
    noise = torch.randn(len(pictures), 3, height // 8, width // 8, generator=rng) * between(pictures, 0.0, 0.1, rng)
    return pictures + interpolate(noise, (height, width), mode="bilinear")


def cut(pictures: Images, rng: torch.Generator) -> Images:
    """A rectangle of one colour over a part (DeVries and Taylor 2017, arXiv 1708.04552)."""
    side = pictures.shape[-1]
    within = torch.ones(1, dtype=torch.bool)
    for places in (torch.arange(side)[:, None], torch.arange(side)):
        middle, reach = between(pictures, 0.0, float(side), rng), between(pictures, 0.05 * side, 0.15 * side, rng)
        within = within & ((places - middle).abs() < reach)
    color = torch.rand(len(pictures), 3, 1, 1, generator=rng)
    return torch.where(within, color, pictures)


CHANGES = ((recolor, 0.7), (soften, 0.4), (soften, 0.3), (coarsen, 0.2), (roughen, 0.4), (blotch, 0.2), (cut, 0.2))
"""And the share of the pictures that each is made to, one after the other."""
