"""How much a mesh file looks like the scene it was made from: the file is read back and both are rendered.

PSNR = -10 log10 mean (colour_mesh - colour_scene)^2,   on white, over all pixels of all views
IoU = |mesh and scene| / |mesh or scene|,   scene = {opacity > T},   T where the scene's contours are sharpest
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from lodestone.export.isosurface import sharpest_contour
from lodestone.export.mesh_files import read_mesh
from lodestone.export.pictures import render_views
from lodestone.export.visibility import look
from lodestone.kernels.rasterization import interpolate
from lodestone.rendering.cameras import Cameras, EvaluationCamera
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.scene import AbstractScene
from lodestone.scenes.surface import TexturedMesh

__all__ = ["Agreement", "MeshPictures", "compare", "render_mesh"]

VIEWS = 8
"""A full turn that begins at the front."""

SUPERSAMPLING = 2
"""Samples along each side of a pixel."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """A mesh file against its scene."""

    psnr: float
    """In dB."""
    silhouette_iou: float
    opacity_threshold: float
    """T."""
    views: int

    def __str__(self) -> str:
        return (
            f"PSNR {self.psnr:.1f} dB, silhouette IoU {self.silhouette_iou:.3f} against the scene in {self.views} views"
        )


@dataclass(frozen=True)
class MeshPictures:
    """Renderings of a textured mesh on white."""

    color: Float[Tensor, "v h w 3"]
    coverage: Float[Tensor, "v h w 1"]


def compare(path: Path, scene: AbstractScene, *, camera: EvaluationCamera, size: int = 256) -> Agreement:
    """Reads a mesh file and compares it with the scene, both without light."""
    views = camera.viewpoints(VIEWS)
    pictures = render_mesh(read_mesh(path), views.cameras(size, size))
    parts = [(part.color.cpu(), part.opacity.cpu()) for part in render_views(scene.unlit(), views, size)]
    color = torch.cat([part[0] for part in parts]).clamp(0, 1)
    opacity = torch.cat([part[1] for part in parts])
    error = (pictures.color - color).square().mean().item()
    threshold = sharpest_contour(opacity[..., 0])
    one, other = pictures.coverage > 0.5, opacity > threshold
    return Agreement(
        psnr=round(-10 * math.log10(max(error, 1e-10)), 2),
        silhouette_iou=round(float((one & other).sum() / (one | other).sum().clamp(min=1)), 4),
        opacity_threshold=threshold,
        views=VIEWS,
    )


def render_mesh(mesh: TexturedMesh, cameras: Cameras) -> MeshPictures:
    """Unlit, each pixel a mean of samples."""
    fine = Cameras(
        camera_to_world=cameras.camera_to_world,
        intrinsics=cameras.intrinsics * torch.tensor([[SUPERSAMPLING], [SUPERSAMPLING], [1.0]]),
        height=SUPERSAMPLING * cameras.height,
        width=SUPERSAMPLING * cameras.width,
    )
    fragments = look(TriangleMesh(vertices=mesh.vertices, faces=mesh.faces), fine).fragments
    uv = 2 * interpolate(mesh.uv, mesh.faces, fragments) - 1
    texture = mesh.texture.permute(2, 0, 1).expand(len(cameras), -1, -1, -1)
    color = grid_sample(texture, uv, align_corners=False, padding_mode="border")
    mask = (fragments.triangle >= 0)[:, None].float()
    both = torch.cat([color * mask + (1 - mask), mask], dim=1)
    small = avg_pool2d(both, SUPERSAMPLING).permute(0, 2, 3, 1)
    return MeshPictures(small[..., :3], small[..., 3:])
