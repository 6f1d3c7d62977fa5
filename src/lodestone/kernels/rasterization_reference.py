r"""Triangles in plain torch: the truth that the native kernel is held to, and the route on CUDA.

Pixel (row r, column c) of an h x w image looks along :math:`p = (2 (c + 1/2) / w - 1,\ 2 (r + 1/2) / h - 1,\ 1)`. With
the corners :math:`v_i = (x_i, y_i, w_i)` of a triangle in homogeneous coordinates

.. math:: e_0 = \det(v_1, v_2, p), \quad e_1 = \det(v_2, v_0, p), \quad e_2 = \det(v_0, v_1, p), \quad
          b_i = e_i / \textstyle\sum_j e_j

are perspective-correct barycentrics; the pixel sees the triangle in front of the camera exactly where no
:math:`e_i / \det(v_0, v_1, v_2)` is negative, so that nothing needs to be clipped. What is seen is found in float64 and
has no gradient; barycentrics have one.

A silhouette edge that crosses the segment between the centres of two neighbouring pixels at distance d from the inner
one adds :math:`\lambda (d - \tfrac12) (c_\text{inner} - c_\text{outer})` to the outer pixel if d > 1/2, otherwise to
the inner one, so that sums over rows and columns are lengths and move with the edge. The share :math:`\lambda` of rows
is the squared cosine between the edge and their normal; that of columns is the rest.

References:
    | Triangle Scan Conversion using 2D Homogeneous Coordinates (Olano and Greer, 1997)
    | Modular Primitives for High-Performance Differentiable Rendering (Laine et al., 2020), arXiv 2011.03277. Unlike
      theirs, antialiasing begins with the silhouettes instead of the pixels, so that it finds those of triangles too
      small to be seen at any pixel's centre, and gives every edge to rows and columns in proportion.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = [
    "Edges",
    "antialias_reference",
    "barycentrics_reference",
    "edges_reference",
    "interpolate_reference",
    "rasterize_reference",
]

PAIRS = 2**21
"""Pairs of triangles and pixels that are looked at together."""


@dataclass(frozen=True)
class Edges:
    """Every edge of a mesh once, sorted by its ends.

    Attributes:
        ends: The vertices, the smaller number first.
        of_face: The edges opposite to the three corners of each face.
    """

    ends: Int[Tensor, "e 2"]
    of_face: Int[Tensor, "f 3"]


def edges_reference(faces: Int[Tensor, "f 3"], vertices: int) -> Edges:
    """The edges of triangles among so many vertices."""
    pairs = torch.stack([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]], dim=1)
    key = pairs.amin(dim=-1) * vertices + pairs.amax(dim=-1)
    unique, of_face = torch.unique(key, return_inverse=True)
    ends = torch.stack([torch.div(unique, max(vertices, 1), rounding_mode="floor"), unique % max(vertices, 1)], dim=-1)
    return Edges(ends, of_face.reshape(faces.shape))


# ------------------------------------------------------------------------------------------------------- visibility


def _cross(a: Float[Tensor, "f 3"], b: Float[Tensor, "f 3"]) -> Float[Tensor, "f 3"]:
    return torch.stack([a[:, i] * b[:, j] - a[:, j] * b[:, i] for i, j in ((1, 2), (2, 0), (0, 1))], dim=-1)


def _boxes(corners: Float[Tensor, "f 3 4"], size: Tensor) -> tuple[Tensor, Tensor]:
    """First and last pixels (column, row) whose centres may be covered; the whole image for what crosses w = 0."""
    w = corners[..., 3:]
    screen = 0.5 * size * (corners[..., :2] / torch.where(w > 0, w, 1) + 1)
    first = (screen.amin(dim=1) - 0.5 - 1e-6).ceil().clamp(min=0)
    last = torch.minimum((screen.amax(dim=1) - 0.5 + 1e-6).floor(), size - 1)
    crosses = (w <= 0).any(dim=1)
    first, last = torch.where(crosses, 0, first), torch.where(crosses, size - 1, last)
    seen = (w > 0).any(dim=1) & corners.isfinite().all(dim=-1).all(dim=-1, keepdim=True)
    return torch.where(seen, first, 0).long(), torch.where(seen, last, -1).long()


@dataclass(frozen=True)
class _Functions:
    """Of the whole numbers (2 column + 1 - w, 2 row + 1 - h, 1): three that are positive inside, and the depth."""

    edges: Float[Tensor, "f 3 3"]
    depth: Float[Tensor, "f 3"]


def _functions(corners: Float[Tensor, "f 3 4"], height: int, width: int) -> tuple[_Functions, Bool[Tensor, " f"]]:
    v = corners[..., [0, 1, 3]]
    edges = torch.stack([_cross(v[:, 1], v[:, 2]), _cross(v[:, 2], v[:, 0]), _cross(v[:, 0], v[:, 1])], dim=1)
    determinant = (edges[:, 0] * v[:, 0]).sum(dim=-1)
    edges = determinant.sign()[:, None, None] * edges * edges.new_tensor([height, width, height * width])
    depth = (corners[..., 2:3] * edges).sum(dim=1) / (determinant.abs() * height * width)[:, None]
    return _Functions(edges, depth), determinant.abs() > 0


def _pairs(first: Int[Tensor, "f 2"], last: Int[Tensor, "f 2"]) -> tuple[Tensor, Tensor, Tensor]:
    """Every (triangle, column, row) of the boxes."""
    size = (last - first + 1).clamp(min=0)
    area = size.prod(dim=-1)
    owner = torch.repeat_interleave(area)
    local = torch.arange(len(owner), device=owner.device) - (area.cumsum(0) - area)[owner]
    column = first[owner, 0] + local % size[owner, 0].clamp(min=1)
    row = first[owner, 1] + torch.div(local, size[owner, 0].clamp(min=1), rounding_mode="floor")
    return owner, column, row


def _groups(area: Int[Tensor, " f"]) -> list[tuple[int, int]]:
    """Ranges of triangles with about `PAIRS` pixels in their boxes."""
    part = torch.div(area.cumsum(0), PAIRS, rounding_mode="floor")
    ends = torch.cat([(part[1:] != part[:-1]).nonzero().flatten() + 1, part.new_tensor([len(part)])]).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _hits(functions: _Functions, owner: Tensor, column: Tensor, row: Tensor, height: int, width: int) -> Tensor:
    """The depths of pairs whose centre the triangle covers, infinite for others."""
    x, y = (2 * column + 1 - width).double(), (2 * row + 1 - height).double()

    def value(function: Tensor) -> Tensor:
        return function[owner, 0] * x + (function[owner, 1] * y + function[owner, 2])

    depth = value(functions.depth)
    covered = (depth >= -1) & (depth <= 1)
    for i in range(3):
        edge, e = functions.edges[:, i], value(functions.edges[:, i])
        takes_border = (edge[:, 0] > 0) | ((edge[:, 0] == 0) & (edge[:, 1] > 0))
        covered &= (e > 0) | ((e == 0) & takes_border[owner])
    return torch.where(covered, depth, torch.inf)


@torch.no_grad()
def _visible(positions: Float[Tensor, "n 4"], faces: Int[Tensor, "f 3"], height: int, width: int) -> Int[Tensor, "h w"]:
    """The nearest triangle of every pixel, the first of equally near ones; -1 where there is none."""
    corners = positions.double()[faces]
    functions, proper = _functions(corners, height, width)
    first, last = _boxes(corners, corners.new_tensor([width, height]))
    kept = (proper & (last >= first).all(dim=-1)).nonzero().flatten()
    functions = _Functions(functions.edges[kept], functions.depth[kept])
    first, last = first[kept], last[kept]
    nearest = corners.new_full((height * width,), torch.inf)
    triangle = torch.full((height * width,), -1, dtype=torch.int64, device=faces.device)
    if not len(kept):
        return triangle.reshape(height, width)
    for begin, end in _groups((last - first + 1).prod(dim=-1)):
        owner, column, row = _pairs(first[begin:end], last[begin:end])
        owner = owner + begin
        depth, pixel = _hits(functions, owner, column, row, height, width), row * width + column
        before = nearest.clone()
        nearest.scatter_reduce_(0, pixel, depth, "amin")
        wins = (depth == nearest[pixel]) & (depth < before[pixel])
        latest = torch.full_like(triangle, len(faces)).scatter_reduce_(0, pixel[wins], kept[owner[wins]], "amin")
        triangle = torch.where(latest < len(faces), latest, triangle)
    return triangle.reshape(height, width)


def _directions(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """x and y of every pixel's direction, h w."""
    rows, columns = (torch.arange(n, dtype=like.dtype, device=like.device) for n in (height, width))
    x, y = (2 * columns + 1 - width) / width, (2 * rows + 1 - height) / height
    return x.expand(height, width), y[:, None].expand(height, width)


def barycentrics_reference(
    positions: Float[Tensor, "v n 4"], faces: Int[Tensor, "f 3"], triangle: Int[Tensor, "v h w"]
) -> tuple[Float[Tensor, "v h w 3"], Float[Tensor, "v h w"]]:
    """Barycentrics with their graph, and z / w without one: 0 and 1 where there is no triangle."""
    seen = triangle >= 0
    view, row, column = seen.nonzero(as_tuple=True)
    corners = positions[view[:, None], faces[triangle[seen]]]
    x, y = (direction[row, column] for direction in _directions(triangle.shape[1], triangle.shape[2], positions))
    # Relative to the pixel's direction the determinants are two-dimensional and lose no digits.
    u, v = corners[..., 0] - x[:, None] * corners[..., 3], corners[..., 1] - y[:, None] * corners[..., 3]
    e = torch.stack([u[:, j] * v[:, k] - v[:, j] * u[:, k] for j, k in ((1, 2), (2, 0), (0, 1))], dim=-1)
    weights = e / e.sum(dim=-1, keepdim=True)
    depth = (weights * corners[..., 2]).sum(dim=-1) / (weights * corners[..., 3]).sum(dim=-1)
    barycentrics = positions.new_zeros(*triangle.shape, 3).index_put((view, row, column), weights)
    return barycentrics, positions.new_ones(triangle.shape).index_put((view, row, column), depth.detach())


def rasterize_reference(
    positions: Float[Tensor, "v n 4"], faces: Int[Tensor, "f 3"], height: int, width: int
) -> tuple[Int[Tensor, "v h w"], Float[Tensor, "v h w 3"], Float[Tensor, "v h w"]]:
    """Triangle, barycentrics and depth as `lodestone.kernels.rasterization.rasterize` defines them."""
    triangle = torch.stack([_visible(view, faces, height, width) for view in positions])
    return triangle, *barycentrics_reference(positions, faces, triangle)


# ---------------------------------------------------------------------------------------------------- interpolation


def interpolate_reference(
    attributes: Float[Tensor, "a n c"],
    faces: Int[Tensor, "f 3"],
    triangle: Int[Tensor, "v h w"],
    barycentrics: Float[Tensor, "v h w 3"],
) -> Float[Tensor, "v h w c"]:
    """Sums of barycentrics times attributes; `a` is v or 1."""
    seen = triangle >= 0
    view, row, column = seen.nonzero(as_tuple=True)
    owner = view if attributes.shape[0] > 1 else torch.zeros_like(view)
    values = attributes[owner[:, None], faces[triangle[seen]]]
    mixed = (barycentrics[seen][..., None] * values).sum(dim=1)
    return attributes.new_zeros(*triangle.shape, attributes.shape[-1]).index_put((view, row, column), mixed)


# ----------------------------------------------------------------------------------------------------- antialiasing


@torch.no_grad()
def _silhouettes(
    screen: Float[Tensor, "n 2"], visible: Bool[Tensor, " n"], faces: Int[Tensor, "f 3"], edges: Edges
) -> tuple[Int[Tensor, " s"], Bool[Tensor, " s"]]:
    """Edges with triangles on one side alone, and whether that is their left, seen from the first to the second end."""
    a, b, c = screen[faces].unbind(dim=1)
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    whole = visible[faces].all(dim=-1, keepdim=True)
    forward = faces[:, [1, 2, 0]] < faces[:, [2, 0, 1]]
    left, right = torch.zeros(2, len(edges.ends), dtype=torch.bool, device=faces.device)
    left[edges.of_face[((area[:, None] > 0) == forward) & (area[:, None] != 0) | ~whole]] = True
    right[edges.of_face[((area[:, None] > 0) != forward) & (area[:, None] != 0) | ~whole]] = True
    found = (left != right).nonzero().flatten()
    return found, left[found]


@dataclass(frozen=True)
class _Crossings:
    """Where silhouettes pass between two neighbouring pixels of one view."""

    inner: Int[Tensor, " k"]
    outer: Int[Tensor, " k"]
    distance: Float[Tensor, " k"]
    weight: Float[Tensor, " k"]


def _lines(
    ends: Float[Tensor, "s 2 3"], left: Bool[Tensor, " s"], horizontal: bool, height: int, width: int
) -> tuple[_Crossings, Tensor, Tensor]:
    """The crossings of edges (x, y, z / w) with all rows, or columns; with their depth and left or upper pixel."""
    a, b = ends.unbind(dim=1)
    main, other = (1, 0) if horizontal else (0, 1)
    lines, places = (height, width) if horizontal else (width, height)
    step, rise = b[:, main] - a[:, main], b[:, other] - a[:, other]
    low, high = torch.minimum(a, b)[:, main].detach(), torch.maximum(a, b)[:, main].detach()
    first, last = (bound.sub(0.5).clamp(0, lines).ceil().long() for bound in (low, high))
    count = last - first
    edge = torch.repeat_interleave(count)
    line = first[edge] + torch.arange(len(edge), device=edge.device) - (count.cumsum(0) - count)[edge]
    along = (line + 0.5 - a[edge, main]) / step[edge]
    place = a[edge, other] + along * rise[edge] - 0.5
    below = place.detach().floor()
    kept = (below >= 0) & (below < places - 1)
    edge, line, along, place, below = (t[kept] for t in (edge, line, along, place, below))
    pixel = line * width + below.long() if horizontal else below.long() * width + line
    following = pixel + (1 if horizontal else width)
    upper = left[edge] == ((step[edge] < 0) if horizontal else (step[edge] > 0))
    weight = (step.square() / (step.square() + rise.square()))[edge].detach()
    distance = torch.where(upper, below + 1 - place, place - below)
    inner, outer = torch.where(upper, following, pixel), torch.where(upper, pixel, following)
    return _Crossings(inner, outer, distance, weight), (a[edge, 2] + along * (b - a)[edge, 2]).detach(), pixel


def _chosen(
    found: _Crossings, z: Tensor, pixel: Tensor, triangle: Int[Tensor, " p"], depth: Float[Tensor, " p"]
) -> _Crossings:
    """Of the crossings that bound what the inner pixel sees, the farthest from it for each pair of pixels."""
    ids, depths = (triangle[found.inner], triangle[found.outer]), (depth[found.inner], depth[found.outer])
    before = (depths[0] < depths[1]) & (2 * z < depths[0] + depths[1])
    candidates = ((ids[0] >= 0) & (ids[0] != ids[1]) & ((ids[1] < 0) | before)).nonzero().flatten()
    order = candidates[found.distance[candidates].argsort(descending=True, stable=True)]
    order = order[pixel[order].argsort(stable=True)]
    first = torch.ones_like(order, dtype=torch.bool)
    first[1:] = pixel[order][1:] != pixel[order][:-1]
    order = order[first]
    return _Crossings(found.inner[order], found.outer[order], found.distance[order], found.weight[order])


def _antialias_view(
    color: Float[Tensor, "p c"],
    triangle: Int[Tensor, "h w"],
    depth: Float[Tensor, "h w"],
    positions: Float[Tensor, "n 4"],
    faces: Int[Tensor, "f 3"],
    edges: Edges,
) -> Float[Tensor, "p c"]:
    height, width = triangle.shape
    w = positions[:, 3:]
    visible = ((w > 0) & positions.isfinite()).all(dim=-1)
    screen = positions[:, :3] / torch.where(visible[:, None], w, 1)
    size = screen.new_tensor([0.5 * width, 0.5 * height, 1.0])
    screen = screen * size + size * screen.new_tensor([1.0, 1.0, 0.0])
    silhouettes, left = _silhouettes(screen[:, :2], visible, faces, edges)
    ends, out = screen[edges.ends[silhouettes]], color
    proper = (ends[:, 0, :2] != ends[:, 1, :2]).any(dim=-1) & ends.isfinite().all(dim=-1).all(dim=-1)
    for horizontal in (True, False):
        found, z, pixel = _lines(ends[proper], left[proper], horizontal, height, width)
        found = _chosen(found, z, pixel, triangle.flatten(), depth.flatten())
        amount = found.weight * (found.distance - 0.5)
        target = torch.where(amount > 0, found.outer, found.inner)
        out = out.index_add(0, target, amount[:, None] * (color[found.inner] - color[found.outer]))
    return out


def antialias_reference(
    color: Float[Tensor, "v h w c"],
    triangle: Int[Tensor, "v h w"],
    depth: Float[Tensor, "v h w"],
    positions: Float[Tensor, "v n 4"],
    faces: Int[Tensor, "f 3"],
    edges: Edges,
) -> Float[Tensor, "v h w c"]:
    """Colours with antialiased silhouettes as `lodestone.kernels.rasterization.antialias` defines them."""
    views = zip(color.flatten(1, 2), triangle, depth, positions, strict=True)
    return torch.stack([_antialias_view(*view, faces, edges) for view in views]).reshape(color.shape)
