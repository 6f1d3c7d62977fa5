"""Marching tetrahedra on a grid that is made in code.

A cube of (n + 1)^3 vertices; each of its n^3 cells is cut into the six tetrahedra around its main diagonal
(Freudenthal, Kuhn), one for each order in which the three axes can be walked. Neighbouring cells cut their common face
alike, so there are no cracks. An edge runs from a vertex in one of seven directions, and `7 vertex + direction - 1` is
its number: nothing is stored but the values.

A vertex is inside where its value is negative. Every edge with one end inside carries a vertex of the mesh where the
value, taken as linear, is zero; each of the 16 patterns of a tetrahedron gives none, one or two triangles.

References: Doi and Koide 1991; Deep Marching Tetrahedra (Shen et al. 2021, arXiv 2111.04276).
"""

import functools
import itertools
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lodestone.rendering.samples import TriangleMesh

__all__ = ["TetrahedralGrid", "march"]

EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""Of a tetrahedron, by its corners."""
LEAST = 1e-3
"""Values are taken to be at least so far from zero: no triangle without area, no derivative without bound."""


@functools.cache
def tetrahedra_of_a_cell() -> Int[Tensor, "6 4"]:
    """Corners of the six tetrahedra as bits 4 x + 2 y + z, positively oriented."""
    cells = []
    for axes in itertools.permutations((4, 2, 1)):
        path = [0, axes[0], axes[0] + axes[1], 7]
        if axes not in ((4, 2, 1), (2, 1, 4), (1, 4, 2)):  # the odd orders turn the other way
            path[2], path[3] = path[3], path[2]
        cells.append(path)
    return torch.tensor(cells)


def polygon(inside: tuple[int, ...], outside: tuple[int, ...]) -> list[tuple[int, int]]:
    """The edges that a surface between these corners crosses, around its border."""
    if len(inside) == len(outside):
        (a, b), (c, d) = inside, outside
        return [(a, c), (a, d), (b, d), (b, c)]
    return [(a, b) for a in inside for b in outside]


def triangles_of(code: int) -> list[list[int]]:
    """Triangles of a pattern (bit i: corner i is inside) as edges, counter-clockwise seen from outside."""
    inside = tuple(i for i in range(4) if code >> i & 1)
    outside = tuple(i for i in range(4) if not code >> i & 1)
    if not inside or not outside:
        return []
    corners = torch.cat([torch.zeros(1, 3), torch.eye(3)])
    around = polygon(inside, outside)
    a, b, c = (corners[list(edge)].mean(dim=0) for edge in around[:3])
    outward = corners[list(outside)].mean(dim=0) - corners[list(inside)].mean(dim=0)
    if torch.linalg.cross(b - a, c - a) @ outward < 0:
        around.reverse()
    numbers = [EDGES.index((min(edge), max(edge))) for edge in around]
    return [[numbers[0], numbers[i], numbers[i + 1]] for i in range(1, len(numbers) - 1)]


@functools.cache
def pattern_table() -> tuple[Int[Tensor, "16 2 3"], Int[Tensor, " 16"]]:
    """Edges of the triangles of every pattern, and how many triangles it has."""
    table, count = torch.zeros(16, 2, 3, dtype=torch.int64), torch.zeros(16, dtype=torch.int64)
    for code in range(16):
        for place, triangle in enumerate(triangles_of(code)):
            table[code, place] = torch.tensor(triangle)
            count[code] += 1
    return table, count


@dataclass(frozen=True)
class TetrahedralGrid:
    """The cube from -bound to bound, with so many cells along each side."""

    cells: int
    bound: float

    @property
    def side(self) -> int:
        """Vertices along a side."""
        return self.cells + 1

    @property
    def cell(self) -> float:
        """Length of a cell's side in world units."""
        return 2 * self.bound / self.cells

    def positions(self, device: torch.device | None = None) -> Float[Tensor, "n 3"]:
        """All vertices, z fastest."""
        line = torch.linspace(-self.bound, self.bound, self.side, device=device)
        return torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1).reshape(-1, 3)

    def border(self, device: torch.device | None = None) -> Bool[Tensor, " n"]:
        """Which vertices lie on the cube's surface."""
        inner = torch.zeros(self.side, self.side, self.side, dtype=torch.bool, device=device)
        inner[1:-1, 1:-1, 1:-1] = True
        return ~inner.flatten()

    def offsets(self, device: torch.device | None = None) -> Int[Tensor, " 8"]:
        """How far the number of a vertex rises to each corner of its cell, by the corner's bits."""
        bits = torch.arange(8, device=device)
        return ((bits >> 2) * self.side + (bits >> 1 & 1)) * self.side + (bits & 1)


def shifted(values: Bool[Tensor, "x y z"], bits: int) -> Bool[Tensor, "a b c"]:
    """The values of one corner of every cell."""
    x, y, z = (slice(shift, values.shape[0] - 1 + shift) for shift in (bits >> 2, bits >> 1 & 1, bits & 1))
    return values[x, y, z]


def crossed_edges(inside: Bool[Tensor, "side side side"]) -> Int[Tensor, " e"]:
    """Numbers of the edges with one end inside, rising."""
    crosses = torch.zeros(*inside.shape, 7, dtype=torch.bool, device=inside.device)
    for bits in range(1, 8):
        x, y, z = (slice(0, inside.shape[0] - shift) for shift in (bits >> 2, bits >> 1 & 1, bits & 1))
        ends = inside[bits >> 2 :, bits >> 1 & 1 :, bits & 1 :]
        crosses[x, y, z, bits - 1] = inside[x, y, z] != ends
    return crosses.flatten().nonzero().flatten()


def triangles(
    grid: TetrahedralGrid, inside: Bool[Tensor, "side side side"], edges: Int[Tensor, " e"]
) -> Int[Tensor, "f 3"]:
    """Triangles between crossed edges, as numbers of entries of `edges`."""
    device, offsets = inside.device, grid.offsets(inside.device)
    corners = torch.stack([shifted(inside, bits) for bits in range(8)])
    cells = (corners.any(dim=0) & ~corners.all(dim=0)).nonzero()
    base = (cells[:, 0] * grid.side + cells[:, 1]) * grid.side + cells[:, 2]
    tetrahedra = tetrahedra_of_a_cell().to(device)
    signs = inside.flatten()[base[:, None, None] + offsets[tetrahedra]]
    codes = (signs * torch.tensor([1, 2, 4, 8], device=device)).sum(dim=-1)
    table, count = (part.to(device) for part in pattern_table())
    cell, kind = (count[codes] > 0).nonzero(as_tuple=True)
    code = codes[cell, kind]
    ends = tetrahedra[:, torch.tensor(EDGES, device=device)]
    low, high = ends.amin(dim=-1), ends.amax(dim=-1)
    numbers = 7 * offsets[low] + (high - low) - 1  # the lower end's bits are among the higher one's
    wanted = 7 * base[cell, None, None] + numbers[kind[:, None, None], table[code]]
    place = torch.full((7 * inside.numel(),), -1, dtype=torch.int32, device=device)
    place[edges] = torch.arange(len(edges), dtype=torch.int32, device=device)
    kept = torch.arange(2, device=device) < count[code, None]
    return place[wanted[kept]].long()


def away_from_zero(values: Float[Tensor, " e"]) -> Float[Tensor, " e"]:
    """The values, at least `LEAST` in size; the derivative is that of the values themselves."""
    known = values.nan_to_num(nan=LEAST)
    size = known.detach()
    return known + torch.where(size < 0, size.clamp(max=-LEAST), size.clamp(min=LEAST)) - size


def march(grid: TetrahedralGrid, values: Float[Tensor, " n"], positions: Float[Tensor, "n 3"]) -> TriangleMesh:
    """The surface where the values of the grid's vertices change sign, differentiable in values and positions.

    Closed and without borders if no vertex of the cube's surface is inside; NaN counts as outside.
    """
    inside = (values.detach() < 0).reshape(grid.side, grid.side, grid.side)
    edges = crossed_edges(inside)
    low = torch.div(edges, 7, rounding_mode="floor")
    high = low + grid.offsets(values.device)[edges % 7 + 1]
    of_low, of_high = (away_from_zero(values[end]) for end in (low, high))
    share = of_low / (of_low - of_high)
    vertices = torch.lerp(positions[low], positions[high], share[:, None])
    return TriangleMesh(vertices=vertices, faces=triangles(grid, inside, edges))
