"""Which triangle lies at which pixel, of a view and of a texture; without gradients."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lodestone.kernels.rasterization import Fragments, interpolate, rasterize
from lodestone.rendering.cameras import Cameras
from lodestone.rendering.rasterize import clip_positions
from lodestone.rendering.samples import TriangleMesh

__all__ = ["Seen", "cover_texture", "look", "project"]


@dataclass(frozen=True)
class Seen:
    """What the pixels of some cameras see of a mesh."""

    fragments: Fragments
    depth: Float[Tensor, "v h w"]
    """Camera depth, infinite where nothing is seen."""


@torch.no_grad()
def look(mesh: TriangleMesh, cameras: Cameras) -> Seen:
    """Both sides of the triangles are seen."""
    clip = clip_positions(cameras, mesh.vertices)
    fragments = rasterize(clip, mesh.faces, cameras.height, cameras.width)
    depth = interpolate(clip[..., 3:], mesh.faces, fragments)[..., 0]
    return Seen(fragments, depth.masked_fill(fragments.triangle < 0, torch.inf))


@torch.no_grad()
def cover_texture(uv: Float[Tensor, "m 2"], faces: Int[Tensor, "f 3"], size: int) -> Fragments:
    """The first face at every texel of a texture of `size` x `size`, as one view."""
    flat = torch.cat([2 * uv - 1, torch.zeros_like(uv[:, :1]), torch.ones_like(uv[:, :1])], dim=-1)
    return rasterize(flat[None], faces, size, size)


def project(points: Float[Tensor, "n 3"], cameras: Cameras, view: int) -> Float[Tensor, "n 3"]:
    """Pixel coordinates x, y and camera depth in one view."""
    pose = cameras.camera_to_world[view]
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    flat = local @ cameras.intrinsics[view].T
    return torch.cat([flat[:, :2] / local[:, 2:].clamp(min=1e-6), local[:, 2:]], dim=-1)
