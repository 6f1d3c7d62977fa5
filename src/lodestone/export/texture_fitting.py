"""What a texture still lacks to look like the scene's pictures, as a colour added at each vertex.

    min_c sum_pixels |picture - texture - B c|^2 + DAMPING^2 |c|^2

B holds the barycentric coordinates of the pixels that see the mesh. Averages of many views (`texture_baking`) have the
detail, but not the best colours where the views disagree; this has. It is smooth, so that it cannot paint each view's
own picture between the texels of the others, which a fit of the texels themselves does: it agrees with views between
those that it was fitted to as well as with these.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import grid_sample

from lodestone.export.extras import needs
from lodestone.export.unwrapping import Unwrapped
from lodestone.export.visibility import look
from lodestone.kernels.rasterization import interpolate
from lodestone.rendering.cameras import Cameras
from lodestone.rendering.samples import TriangleMesh

__all__ = ["Comparison", "compare_picture", "fit_vertices"]

DAMPING = 2.0
"""A vertex that few pixels see keeps its colour."""

ITERATIONS = 40


@dataclass(frozen=True)
class Comparison:
    """The pixels of one view that see the mesh."""

    missing: Float[Tensor, "p 3"]
    """The scene's colour less the mesh's."""
    corners: Int[Tensor, "p 3"]
    """The vertices of the faces that are seen."""
    barycentric: Float[Tensor, "p 3"]


@torch.no_grad()
def compare_picture(
    mesh: TriangleMesh,
    unwrapped: Unwrapped,
    texture: Float[Tensor, "size size 3"],
    cameras: Cameras,
    picture: Float[Tensor, "1 4 h w"],
) -> Comparison:
    """One view of the textured mesh against the scene's picture from there."""
    fragments = look(mesh, cameras).fragments
    hit = fragments.triangle >= 0
    uv = interpolate(unwrapped.uv, unwrapped.faces, fragments)[hit]
    drawn = grid_sample(texture.permute(2, 0, 1)[None], 2 * uv[None, None] - 1, align_corners=False)[0, :, 0].T
    wanted = picture[:, :3].permute(0, 2, 3, 1)[hit]
    return Comparison(wanted - drawn, mesh.faces[fragments.triangle[hit]], fragments.barycentrics[hit])


def fit_vertices(comparisons: list[Comparison], vertices: int) -> Float[Tensor, "n 3"]:
    """The minimum above, by LSMR (Fong and Saunders 2011)."""
    with needs("mesh"):
        from scipy.sparse import csr_array
        from scipy.sparse.linalg import lsmr
    missing = torch.cat([part.missing for part in comparisons]).double()
    corners = torch.cat([part.corners for part in comparisons])
    weights = torch.cat([part.barycentric for part in comparisons]).double()
    places = (weights.flatten().numpy(), corners.flatten().numpy(), 3 * np.arange(len(corners) + 1))
    matrix = csr_array(places, shape=(len(corners), vertices))
    columns = [lsmr(matrix, side, damp=DAMPING, maxiter=ITERATIONS)[0] for side in missing.T.numpy()]
    return torch.from_numpy(np.stack(columns, axis=-1)).float()
