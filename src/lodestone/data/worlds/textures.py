"""Materials as one texture, for mesh files: every triangle gets its own half of a square of texels."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lodestone.data.worlds.meshes import PaintedMesh

__all__ = ["Unwrapped", "unwrap"]

SIDE = 1024
"""Largest side of a texture, about."""


@dataclass(frozen=True, kw_only=True)
class Unwrapped:
    """A mesh whose triangles share no vertices, with a texture; (u, v) begin at the top left corner."""

    vertices: Float[Tensor, "n 3"]
    faces: Int[Tensor, "f 3"]
    uv: Float[Tensor, "n 2"]
    texture: Float[Tensor, "h w 3"]
    """Base colours, sRGB values."""


def unwrap(painted: PaintedMesh) -> Unwrapped:
    """The mesh with its base colours as a texture. Two triangles share a square and meet along its diagonal."""
    faces = painted.mesh.faces
    across = math.ceil(math.sqrt((len(faces) + 1) // 2))
    n = min(max(SIDE // across, 6), 64)
    grid = torch.arange(n)
    row, column = grid[:, None].expand(n, n).flatten(), grid.repeat(n)
    upper = row + column <= n - 2
    # The corners of a triangle are the texel centres (0, 0), (n - 3, 0) and (0, n - 3) of its half; beyond its long
    # side its own colours go on, so that what is sampled between two texels is its own.
    u = torch.where(upper, column, n - 1 - column) / (n - 3)
    v = torch.where(upper, row, n - 1 - row) / (n - 3)
    excess = (u + v - 1).clamp(min=0) / 2
    u, v = (u - excess).clamp(min=0), (v - excess).clamp(min=0)
    weights = torch.stack([1 - u - v, u, v], -1).clamp(min=0)
    cells = across * across
    face = torch.stack([2 * torch.arange(cells), 2 * torch.arange(cells) + 1], -1)[:, (~upper).long()]
    face = face.clamp(max=len(faces) - 1)
    corners = painted.local[faces]
    points = (weights[None, :, :, None] * corners[face]).sum(dim=2).view(-1, 3)
    colors = colors_at(painted, face.flatten(), points).view(across, across, n, n, 3)
    texture = colors.permute(0, 2, 1, 3, 4).reshape(across * n, across * n, 3)
    return Unwrapped(
        vertices=painted.mesh.vertices[faces].reshape(-1, 3),
        faces=torch.arange(3 * len(faces)).view(-1, 3),
        uv=corner_places(len(faces), across, n),
        texture=texture,
    )


def corner_places(count: int, across: int, n: int) -> Float[Tensor, "c 2"]:
    """(u, v) of the three corners of every triangle."""
    own = torch.tensor([[0.0, 0.0], [n - 3.0, 0.0], [0.0, n - 3.0]])
    face = torch.arange(count)
    cell = face // 2
    begin = torch.stack([cell % across, cell // across], -1)[:, None] * n
    inside = torch.where((face % 2 == 0)[:, None, None], own, n - 1 - own)
    return ((begin + inside + 0.5) / (across * n)).view(-1, 2)


def colors_at(painted: PaintedMesh, face: Int[Tensor, " p"], points: Float[Tensor, "p 3"]) -> Float[Tensor, "p 3"]:
    """Base colours at points of faces, in the objects' own frames."""
    material = painted.material[face]
    colors = torch.zeros(len(points), 3)
    for index, each in enumerate(painted.materials):
        at = (material == index).nonzero()[:, 0]
        colors[at] = each.colors(points[at])
    return colors
