"""Gaussian splatting on CUDA, by gsplat 1.5 (arXiv 2409.06765): projection, tile intersection, rasterization.

gsplat is the extra `cuda` of this package. It compiles its kernels on first use and is imported only here.
"""

import importlib.util
import math

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.kernels.splatting_reference import camera_from_world

__all__ = ["cuda_available", "splat_cuda"]

TILE = 16


def cuda_available() -> bool:
    """Whether torch has a CUDA device and gsplat is installed."""
    return torch.cuda.is_available() and importlib.util.find_spec("gsplat") is not None


def splat_cuda(
    means: Float[Tensor, "n 3"],
    quaternions: Float[Tensor, "n 4"],
    scales: Float[Tensor, "n 3"],
    opacities: Float[Tensor, " n"],
    colors: Float[Tensor, "n 3"],
    camera_to_world: Float[Tensor, "v 4 4"],
    intrinsics: Float[Tensor, "v 3 3"],
    height: int,
    width: int,
    screen_offset: Float[Tensor, "v n 2"] | None = None,
) -> tuple[Float[Tensor, "v h w 3"], Float[Tensor, "v h w 1"], Float[Tensor, "v h w 1"], Float[Tensor, "v n"]]:
    """Colour, opacity, depth and radii as `lodestone.kernels.splatting.splat` defines them. Arguments are not checked.

    Two differences: gsplat culls before `screen_offset` is added, and it skips a pixel where rounding makes the
    exponent of a very long Gaussian positive.

    Raises:
        SettingError: If gsplat is not installed.
    """
    try:
        import gsplat
    except ImportError as error:
        raise SettingError("the CUDA backend needs gsplat: install lodestone3d[cuda]") from error
    views, gaussians = camera_to_world.shape[0], means.shape[0]
    world_to_camera = camera_from_world(camera_to_world)
    radii, screen, depths, conics, _ = gsplat.fully_fused_projection(
        means,
        None,
        quaternions,
        scales,
        world_to_camera,
        intrinsics,
        width,
        height,
        near_plane=0.01,
        opacities=opacities,
    )
    if screen_offset is not None:
        screen = screen + screen_offset
    tiles_x, tiles_y = math.ceil(width / TILE), math.ceil(height / TILE)
    _, pairs, gaussian = gsplat.isect_tiles(screen, radii, depths, TILE, tiles_x, tiles_y)
    offsets = gsplat.isect_offset_encode(pairs, views, tiles_x, tiles_y).reshape(views, tiles_y, tiles_x)
    # Depth is a fourth channel: its sum has the same weights.
    features = torch.cat([colors.expand(views, gaussians, 3), depths[..., None]], dim=-1)
    image, opacity = gsplat.rasterize_to_pixels(
        screen, conics, features, opacities.expand(views, gaussians), width, height, TILE, offsets, gaussian
    )
    return image[..., :3], opacity, image[..., 3:], radii.amax(dim=-1).to(means.dtype)
