"""Base colour for every texel of an unwrapped mesh, in sRGB values.

From a colour at points, or from the scene's own pictures, projected back from many views:

    colour(texel) = sum_v w_v picture_v(pixel of the texel) / sum_v w_v,   w_v = s_v opacity max(0, cos)^SHARPNESS

over the views that see the texel, with cos between its normal and the direction to the camera (as DreamGaussian,
arXiv 2309.16653, section 3.2, whose weight is the cosine). A haze looks different from everywhere, and one texture
cannot follow it: the views from which the scene is judged have s = 1, those from above and below `ELSEWHERE`, so that
they decide only what the others hardly see. The pictures are on white, as the prior was shown them. What the mesh
then still lacks against them is added (`texture_fitting`).
Texels that no view sees take the colour of the nearest one in space; those outside of all charts, of the nearest one
on the texture, so that neither filtering nor mipmaps find an empty texel.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from lodestone.export.extras import needs
from lodestone.export.isosurface import silhouette_views
from lodestone.export.pictures import render_views
from lodestone.export.texture_fitting import compare_picture, fit_vertices
from lodestone.export.unwrapping import Unwrapped
from lodestone.export.visibility import cover_texture, look, project
from lodestone.rendering.cameras import Cameras, EvaluationCamera, Viewpoints
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.scene import AbstractScene
from lodestone.scenes.surface import Color, TexturedMesh

__all__ = ["Texels", "bake_color", "bake_views", "fill_gutters", "texels_of", "textured"]

RING = 16
"""Views around the object from the height at which it is judged."""

ELSEWHERE = 0.02
"""What all other views count for."""

LEAST_WEIGHT = 1e-5
"""Of what counts as seen."""

SHARPNESS = 8
"""Power of the cosine: how much a view from the front counts more than a slanted one."""

LEAST_COSINE = 0.15
"""Views more slanted than this do not count."""

POINTS = 2**17
"""Points asked of a colour at once."""


@dataclass(frozen=True, kw_only=True)
class Texels:
    """The texels inside charts, and where they lie in the world."""

    index: Int[Tensor, " t"]
    """Counted row by row."""
    size: int
    face: Int[Tensor, " t"]
    barycentric: Float[Tensor, "t 3"]
    position: Float[Tensor, "t 3"]
    normal: Float[Tensor, "t 3"]

    def __len__(self) -> int:
        return len(self.index)


def texels_of(mesh: TriangleMesh, unwrapped: Unwrapped, size: int) -> Texels:
    """Every texel whose centre is in a face, in the texture's order."""
    fragments = cover_texture(unwrapped.uv, unwrapped.faces, size)
    triangle = fragments.triangle.flatten()
    index = (triangle >= 0).nonzero()[:, 0]
    face, barycentric = triangle[index], fragments.barycentrics.view(-1, 3)[index]
    corners = mesh.vertices[mesh.faces[face]]
    a, b, c = corners.unbind(dim=1)
    return Texels(
        index=index,
        size=size,
        face=face,
        barycentric=barycentric,
        position=(barycentric[:, :, None] * corners).sum(dim=1),
        normal=normalize(torch.linalg.cross(b - a, c - a), dim=-1, eps=1e-20),
    )


def bake_color(texels: Texels, color: Color, device: torch.device) -> Float[Tensor, "size size 3"]:
    """A texture from a colour at points."""
    with torch.no_grad():
        values = [color(part.to(device)).cpu() for part in texels.position.split(POINTS)]
    return fill_gutters(texels, torch.cat(values).float().nan_to_num(0.5).clamp(0, 1))


def bake_views(
    texels: Texels, mesh: TriangleMesh, unwrapped: Unwrapped, scene: AbstractScene, camera: EvaluationCamera, size: int
) -> Float[Tensor, "rows columns 3"]:
    """A texture from the scene's pictures of `size` x `size` pixels."""
    ring = camera.viewpoints(RING)
    color = project_back(texels, mesh, scene, camera, size)
    texture = fill_gutters(texels, color)
    comparisons = [
        compare_picture(mesh, unwrapped, texture, cameras, picture)
        for cameras, picture in pictures_of(scene, ring, size // 2)
    ]
    lacking = fit_vertices(comparisons, len(mesh.vertices))[mesh.faces[texels.face]]
    color = color + (texels.barycentric[:, :, None] * lacking).sum(dim=1)
    return fill_gutters(texels, color.clamp(0, 1))


def project_back(
    texels: Texels, mesh: TriangleMesh, scene: AbstractScene, camera: EvaluationCamera, size: int
) -> Float[Tensor, "t 3"]:
    """The mean above, for every texel."""
    total, weights = torch.zeros(len(texels), 3), torch.zeros(len(texels))
    low, high = mesh.vertices.amin(dim=0), mesh.vertices.amax(dim=0)
    around = silhouette_views(low, high, camera.field_of_view)
    for views, share in ((camera.viewpoints(RING), 1.0), (around, ELSEWHERE)):
        for cameras, picture in pictures_of(scene, views, size):
            color, weight = seen_from(texels, mesh, cameras, picture)
            total += share * weight[:, None] * color
            weights += share * weight
    seen = weights > LEAST_WEIGHT
    return fill_unseen(texels.position, total / weights.clamp(min=LEAST_WEIGHT)[:, None], seen).clamp(0, 1)


def pictures_of(
    scene: AbstractScene, views: Viewpoints, size: int
) -> Iterable[tuple[Cameras, Float[Tensor, "1 4 h w"]]]:
    """Colour on white and opacity from each view, with its camera."""
    cameras, view = views.cameras(size, size), 0
    for rendering in render_views(scene, views, size):
        pictures = torch.cat([rendering.color, rendering.opacity], dim=-1).cpu().nan_to_num(0.0).clamp(0, 1)
        for picture in pictures.permute(0, 3, 1, 2):
            one = slice(view, view + 1)
            yield (
                replace(cameras, camera_to_world=cameras.camera_to_world[one], intrinsics=cameras.intrinsics[one]),
                picture[None],
            )
            view += 1


def seen_from(
    texels: Texels, mesh: TriangleMesh, cameras: Cameras, picture: Float[Tensor, "1 4 h w"]
) -> tuple[Float[Tensor, "t 3"], Float[Tensor, " t"]]:
    """The colour of each texel in one view, and how much it counts."""
    screen = project(texels.position, cameras, 0)
    unit = screen[:, :2] / torch.tensor([cameras.width, cameras.height]) * 2 - 1
    depth = look(mesh, cameras).depth[None]
    nearest = grid_sample(depth, unit[None, None], mode="nearest", align_corners=False)[0, 0, 0]
    towards = normalize(cameras.camera_to_world[0, :3, 3] - texels.position, dim=-1)
    cosine = (towards * texels.normal).sum(dim=-1)
    pixel = screen[:, 2] / cameras.intrinsics[0, 0, 0]
    unhidden = screen[:, 2] <= nearest + 3 * pixel / cosine.clamp(min=LEAST_COSINE)
    within = (unit.abs() <= 1).all(dim=-1)
    sampled = grid_sample(picture, unit[None, None], align_corners=False, padding_mode="border")[0, :, 0].T
    weight = sampled[:, 3] * cosine.clamp(min=0) ** SHARPNESS
    return sampled[:, :3], weight.where(within & unhidden & (cosine > LEAST_COSINE), 0.0)


def fill_unseen(
    position: Float[Tensor, "t 3"], color: Float[Tensor, "t 3"], seen: Bool[Tensor, " t"]
) -> Float[Tensor, "t 3"]:
    """Colours with those of unseen texels taken from the nearest seen one in space; grey if none is seen."""
    if not seen.any():
        return torch.full_like(color, 0.5)
    with needs("mesh"):
        from scipy.spatial import KDTree
    filled = color.clone()
    _, nearest = KDTree(position[seen].numpy()).query(position[~seen].numpy())
    filled[~seen] = color[seen][torch.from_numpy(np.asarray(nearest, dtype=np.int64))]
    return filled


def fill_gutters(texels: Texels, color: Float[Tensor, "t 3"]) -> Float[Tensor, "size size 3"]:
    """The texture, whose other texels take the colour of the nearest texel inside a chart."""
    with needs("mesh"):
        from scipy.ndimage import distance_transform_edt
    size = texels.size
    if not len(texels):
        return torch.full((size, size, 3), 0.5)
    empty = np.ones((size, size), dtype=bool)
    empty.reshape(-1)[texels.index.numpy()] = False
    row, column = distance_transform_edt(empty, return_distances=False, return_indices=True)
    texture = torch.zeros(size * size, 3)
    texture[texels.index] = color
    return texture[torch.from_numpy(row.astype(np.int64) * size + column).flatten()].view(size, size, 3)


def textured(mesh: TriangleMesh, unwrapped: Unwrapped, texture: Float[Tensor, "size size 3"]) -> TexturedMesh:
    """The cut mesh with its texture."""
    return TexturedMesh(
        vertices=mesh.vertices[unwrapped.source], faces=unwrapped.faces, uv=unwrapped.uv, texture=texture
    )
