"""Losses on the triangles of surface renderings."""

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.kernels.rasterization import edges_of
from lodestone.rendering.rasterize import vertex_normals
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.scene import Rendering

__all__ = ["laplacian", "normal_consistency"]


def mesh_of(rendering: Rendering) -> TriangleMesh:
    """The mesh, which `check_regularizers` has made sure of."""
    assert rendering.mesh is not None
    return rendering.mesh


def laplacian(rendering: Rendering) -> Float[Tensor, ""]:
    """`mean_i |sum over neighbours j of (x_i - x_j)|`: the uniform Laplacian, in world units (threestudio)."""
    mesh = mesh_of(rendering)
    a, b = edges_of(mesh.faces, len(mesh.vertices)).ends.unbind(dim=1)
    along = mesh.vertices[a] - mesh.vertices[b]
    sums = torch.zeros_like(mesh.vertices).index_add(0, a, along).index_add(0, b, -along)
    # The root has no derivative at 0, where a vertex lies in the middle of its neighbours.
    return (sums.square().sum(dim=-1) + 1e-20).sqrt().sum() / max(1, len(sums))


def normal_consistency(rendering: Rendering) -> Float[Tensor, ""]:
    """`mean over edges of 1 - cos` of the angle between the vertex normals at their ends (threestudio)."""
    mesh = mesh_of(rendering)
    ends = vertex_normals(mesh)[edges_of(mesh.faces, len(mesh.vertices)).ends]
    return (1 - (ends[:, 0] * ends[:, 1]).sum(dim=-1)).sum() / max(1, len(ends))
