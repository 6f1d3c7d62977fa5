"""Signed distances on a tetrahedral grid, in cells and negative inside: what a tetrahedral scene begins as."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.tetrahedra import TetrahedralGrid

__all__ = ["FARTHEST", "distance_to_ellipsoid", "distance_to_level", "distance_to_mesh"]

FARTHEST = 3.0
"""Distances beyond this many cells are cut off: they have no part in the surface."""
OFF_GRID = (3.1e-4, 1.7e-4)
"""By which part of a cell the lines that decide what is inside miss the grid, and so a mesh's corners on it."""
PAIRS = 2**20
"""Pairs of triangles and grid vertices that are looked at together."""


def distance_to_ellipsoid(grid: TetrahedralGrid, radii: tuple[float, float, float]) -> Float[Tensor, " n"]:
    """`|p / r| (|p / r| - 1) / |p / r^2|`: exact on the surface, to first order near it, and for spheres."""
    points = grid.positions()
    scaled, slope = (points / points.new_tensor(radii) ** power for power in (1, 2))
    length = scaled.norm(dim=-1)
    distance = length * (length - 1) / slope.norm(dim=-1).clamp(min=1e-9)
    distance = torch.where(length < 1e-6, -min(radii), distance)
    return (distance / grid.cell).clamp(-FARTHEST, FARTHEST)


def distance_to_level(grid: TetrahedralGrid, density: Float[Tensor, " n"], level: float) -> Float[Tensor, " n"]:
    """`(level - density) / |gradient|`: the distance to first order; what is not finite is outside."""
    side = grid.side
    values = torch.nan_to_num(density - level, nan=-1.0, posinf=1e6, neginf=-1e6).reshape(side, side, side)
    slopes = torch.gradient(values)
    slope = torch.stack(slopes).square().sum(dim=0).sqrt()
    # Where the density is flat the sign alone is known.
    typical = slope.amax().clamp(min=1e-12)
    return (-values / torch.maximum(slope, 1e-3 * typical)).flatten().clamp(-FARTHEST, FARTHEST)


def distance_to_mesh(grid: TetrahedralGrid, mesh: TriangleMesh) -> Float[Tensor, " n"]:
    """Distance to a closed mesh, negative where it winds around a vertex.

    Raises: SettingError if the mesh has no triangle or a corner that is not finite.
    """
    corners = mesh.vertices.detach()[mesh.faces].double()
    if not len(corners) or not bool(corners.isfinite().all()):
        raise SettingError("the mesh to begin with has no triangles, or corners that are not finite: repair it first")
    corners = ((corners + grid.bound) / grid.cell).cpu()
    inside = winding(grid, corners) != 0
    distance = unsigned(grid, corners)
    return torch.where(inside, -distance, distance).float()


def winding(grid: TetrahedralGrid, corners: Float[Tensor, "f 3 3"]) -> Float[Tensor, " n"]:
    """How often the mesh winds around each vertex of the grid: signed crossings of the line that rises from it."""
    shift = corners.new_tensor(OFF_GRID)
    flat = corners[..., :2] - shift
    first, last = flat.amin(dim=1).ceil().clamp(min=0), flat.amax(dim=1).floor().clamp(max=grid.cells)
    owner, places = lattice_points(first.long(), last.long())
    a, b, c = (flat[:, i][owner] for i in range(3))
    at = places.double()
    areas = torch.stack([cross2(b - at, c - at), cross2(c - at, a - at), cross2(a - at, b - at)], dim=-1)
    total = areas.sum(dim=-1)
    hit = ((areas > 0).all(dim=-1) | (areas < 0).all(dim=-1)) & (total != 0)
    height = (areas * corners[owner, :, 2]).sum(dim=-1) / torch.where(hit, total, 1)
    column, sign, height = (places[hit, 0] * grid.side + places[hit, 1]), total[hit].sign(), height[hit]
    # A crossing counts for all vertices of its column below it.
    top = height.ceil().clamp(0, grid.side).long()
    steps = corners.new_zeros(grid.side**2, grid.side + 1).index_put((column, top), sign, accumulate=True)
    return steps.flip(1).cumsum(dim=1).flip(1)[:, 1:].flatten().round()


def unsigned(grid: TetrahedralGrid, corners: Float[Tensor, "f 3 3"]) -> Float[Tensor, " n"]:
    """Distance to the nearest triangle, at most `FARTHEST`."""
    distance = corners.new_full((grid.side**3,), FARTHEST)
    first = (corners.amin(dim=1) - FARTHEST).ceil().clamp(min=0).long()
    last = (corners.amax(dim=1) + FARTHEST).floor().clamp(max=grid.cells).long()
    volume = (last - first + 1).clamp(min=0).prod(dim=-1)
    part = torch.div(volume.cumsum(0), PAIRS, rounding_mode="floor")
    for group in part.unique().tolist():
        chosen = (part == group).nonzero().flatten()
        owner, places = lattice_points(first[chosen], last[chosen])
        near = distance_to_triangles(places.double(), corners[chosen[owner]])
        vertex = (places[:, 0] * grid.side + places[:, 1]) * grid.side + places[:, 2]
        distance.scatter_reduce_(0, vertex, near, "amin")
    return distance


def lattice_points(first: Int[Tensor, "f d"], last: Int[Tensor, "f d"]) -> tuple[Int[Tensor, " k"], Int[Tensor, "k d"]]:
    """All whole points of each box, with the box's number."""
    size = (last - first + 1).clamp(min=0)
    count = size.prod(dim=-1)
    owner = torch.repeat_interleave(count)
    local = torch.arange(len(owner)) - (count.cumsum(0) - count)[owner]
    places = torch.empty(len(owner), first.shape[1], dtype=torch.int64)
    for axis in reversed(range(first.shape[1])):
        extent = size[owner, axis].clamp(min=1)
        places[:, axis] = first[owner, axis] + local % extent
        local = torch.div(local, extent, rounding_mode="floor")
    return owner, places


def cross2(a: Float[Tensor, "k 2"], b: Float[Tensor, "k 2"]) -> Float[Tensor, " k"]:
    """The determinant of two plane vectors."""
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def distance_to_triangles(points: Float[Tensor, "k 3"], corners: Float[Tensor, "k 3 3"]) -> Float[Tensor, " k"]:
    """From each point to its triangle: to the plane where the foot lies inside, otherwise to the nearest side."""
    sides = []
    for i in range(3):
        start, along = corners[:, i], corners[:, (i + 1) % 3] - corners[:, i]
        share = ((points - start) * along).sum(-1) / along.square().sum(-1).clamp(min=1e-30)
        sides.append((points - start - share.clamp(0, 1)[:, None] * along).norm(dim=-1))
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    over = torch.stack(
        [
            (torch.linalg.cross(corners[:, (i + 1) % 3] - corners[:, i], points - corners[:, i]) * normal).sum(-1)
            for i in range(3)
        ]
    )
    length = normal.norm(dim=-1)
    plane = ((points - corners[:, 0]) * normal).sum(-1).abs() / length.clamp(min=1e-30)
    nearest = torch.stack(sides).amin(dim=0)
    return torch.where((over >= 0).all(dim=0) & (length > 0), plane, nearest)
