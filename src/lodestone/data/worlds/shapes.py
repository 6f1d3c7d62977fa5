"""Parts of objects as closed triangle meshes with outward faces, and how they are placed.

Every function returns a `Shape` that is watertight and whose faces look outwards. Shapes are centred at the origin
unless their docstring says otherwise; `lathe` is where its profile is, `cylinder` and `cone` stand on z = 0.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

__all__ = [
    "Real",
    "Shape",
    "arc",
    "both",
    "box",
    "capsule",
    "circle",
    "cone",
    "curve",
    "cylinder",
    "disc",
    "ellipsoid",
    "extrude",
    "lathe",
    "ring",
    "rotation",
    "superquadric",
    "sweep",
    "torus",
    "union",
]

Real = float | int
"""Any number; an int is no float to a type checker at run time."""
Point = Sequence[Real]
"""Two or three coordinates."""
QUANTUM = 100_000
"""Places within the extent of a shape that are told apart."""
AXES = {"x": 0, "y": 1, "z": 2}


def rotation(degrees: Real, axis: str) -> Float[Tensor, "3 3"]:
    """Turns counter-clockwise seen from the tip of the axis."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = torch.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


@dataclass(frozen=True)
class Shape:
    """Closed triangles, counter-clockwise seen from outside."""

    vertices: Float[Tensor, "n 3"]
    faces: Int[Tensor, "f 3"]

    def move(self, x: Real = 0.0, y: Real = 0.0, z: Real = 0.0) -> "Shape":
        """Moved by an offset."""
        return Shape(self.vertices + torch.tensor([x, y, z]), self.faces)

    def turn(self, degrees: Real, axis: str = "z") -> "Shape":
        """Turned about an axis through the origin, counter-clockwise seen from its tip."""
        return Shape(self.vertices @ rotation(degrees, axis).T, self.faces)

    def scale(self, x: Real = 1.0, y: Real | None = None, z: Real | None = None) -> "Shape":
        """Stretched about the origin by positive factors; one number for all axes."""
        factors = torch.tensor([x, x if y is None else y, x if z is None else z])
        return Shape(self.vertices * factors, self.faces)

    def mirror(self, axis: str = "y") -> "Shape":
        """Mirrored: left becomes right for "y"."""
        sign = torch.ones(3)
        sign[AXES[axis]] = -1
        return Shape(self.vertices * sign, self.faces.flip(1))

    def stand(self, z: Real = 0.0) -> "Shape":
        """Moved up or down until its lowest point has this height."""
        return self.move(z=z - self.low[2])

    def warp(self, bend: Callable[[Float[Tensor, "n 3"]], Float[Tensor, "n 3"]]) -> "Shape":
        """With moved vertices; the map must not turn the inside out."""
        return Shape(bend(self.vertices), self.faces)

    def __add__(self, other: "Shape") -> "Shape":
        return union(self, other)

    @property
    def low(self) -> tuple[float, float, float]:
        """The least coordinates."""
        x, y, z = self.vertices.amin(dim=0).tolist()
        return x, y, z

    @property
    def high(self) -> tuple[float, float, float]:
        """The greatest coordinates."""
        x, y, z = self.vertices.amax(dim=0).tolist()
        return x, y, z

    @property
    def volume(self) -> float:
        """What the faces enclose."""
        a, b, c = self.vertices.double()[self.faces].unbind(dim=1)
        return float((a * torch.linalg.cross(b, c)).sum() / 6)


def union(*shapes: Shape) -> Shape:
    """Several shapes as one part; they may overlap."""
    offsets = [0]
    for shape in shapes:
        offsets.append(offsets[-1] + len(shape.vertices))
    faces = [shape.faces + offset for shape, offset in zip(shapes, offsets, strict=False)]
    return Shape(torch.cat([shape.vertices for shape in shapes]), torch.cat(faces))


def both(shape: Shape, axis: str = "y") -> Shape:
    """A shape and its mirror image: eyes, arms, wheels."""
    return union(shape, shape.mirror(axis))


def ring(count: int, shape: Shape, start: Real = 0.0) -> Shape:
    """Copies evenly turned about the z axis: petals, legs, spokes."""
    return union(*(shape.turn(start + 360 * i / count) for i in range(count)))


# --------------------------------------------------------------------------------------------------- building blocks


def closed(vertices: Tensor, faces: Tensor) -> Shape:
    """Welds equal vertices, drops triangles without corners of their own, and looks outwards."""
    x, y, z = (vertices * (QUANTUM / vertices.abs().amax())).round().long().unbind(dim=1)
    _, names = torch.unique((x * 4 * QUANTUM + y) * 4 * QUANTUM + z, return_inverse=True)
    first = torch.full((int(names.max()) + 1,), len(names)).scatter_reduce(0, names, torch.arange(len(names)), "amin")
    faces = names[faces]
    a, b, c = faces.unbind(dim=1)
    shape = Shape(vertices[first], faces[(a != b) & (b != c) & (c != a)])
    return shape if shape.volume >= 0 else Shape(shape.vertices, shape.faces.flip(1))


def tube(rows: Float[Tensor, "r c 3"], *, capped: bool, ring_closed: bool = True) -> tuple[Tensor, Tensor]:
    """Quadrilaterals between neighbouring rows of points, as triangles; ends are closed by fans if capped."""
    count, columns = rows.shape[:2]
    number = torch.arange(count * columns).reshape(count, columns)
    if ring_closed:
        number = torch.cat([number, number[:, :1]], dim=1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    faces = [torch.stack([a, b, c], -1).reshape(-1, 3), torch.stack([a, c, d], -1).reshape(-1, 3)]
    vertices = rows.reshape(-1, 3)
    if capped:
        vertices = torch.cat([vertices, rows[0].mean(0, keepdim=True), rows[-1].mean(0, keepdim=True)])
        for row, middle, turned in ((number[0], count * columns, True), (number[-1], count * columns + 1, False)):
            fan = torch.stack([row[:-1], row[1:], torch.full_like(row[1:], middle)], -1)
            faces.append(fan.flip(1) if turned else fan)
    return vertices, torch.cat(faces)


def circle(radius: Real, count: int, start: Real = 0.0) -> list[tuple[float, float]]:
    """A regular polygon, counter-clockwise."""
    angles = [math.radians(start) + 2 * math.pi * i / count for i in range(count)]
    return [(radius * math.cos(a), radius * math.sin(a)) for a in angles]


def curve(points: Sequence[Point], steps: int = 6) -> list[tuple[float, ...]]:
    """A smooth line through points (Catmull and Rom), with `steps` pieces between two of them."""
    p = torch.tensor([list(point) for point in points], dtype=torch.float64)
    p = torch.cat([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = (torch.arange(steps, dtype=torch.float64) / steps)[:, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    line = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return [tuple(row) for row in torch.cat([line.flatten(0, 1), p[-2:-1]]).tolist()]


def arc(
    radius: Real, start: Real, stop: Real, count: int = 12, center: Point = (0.0, 0.0, 0.0), axis: str = "x"
) -> list[tuple[float, float, float]]:
    """Points on part of a circle across an axis, for `sweep`; angles from y to z ("x"), x to z ("y"), x to y ("z")."""
    i, j = [AXES[name] for name in "xyz" if name != axis]
    points = []
    for step in range(count + 1):
        angle = math.radians(start + (stop - start) * step / count)
        point = [float(value) for value in center]
        point[i] += radius * math.cos(angle)
        point[j] += radius * math.sin(angle)
        points.append((point[0], point[1], point[2]))
    return points


def triangulate(polygon: Sequence[Point]) -> list[tuple[int, int, int]]:
    """Ears of a simple polygon, counter-clockwise, cut one after another."""
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True))
    rest = list(range(len(polygon))) if area > 0 else list(range(len(polygon)))[::-1]
    found = []
    while len(rest) > 3:
        ears = range(len(rest))
        best = next((i for i in ears if is_ear(polygon, rest, i)), None)
        best = best if best is not None else max(ears, key=lambda i: corner_area(polygon, rest, i))
        found.append((rest[best - 1], rest[best], rest[(best + 1) % len(rest)]))
        del rest[best]
    return [*found, (rest[0], rest[1], rest[2])]


def corner_area(polygon: Sequence[Point], rest: Sequence[int], i: int) -> Real:
    """Twice the area of the triangle at a corner; negative where the polygon is hollow."""
    a, b, c = polygon[rest[i - 1]], polygon[rest[i]], polygon[rest[(i + 1) % len(rest)]]
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def is_ear(polygon: Sequence[Point], rest: Sequence[int], i: int) -> bool:
    """Whether the triangle at a corner lies inside and holds no other corner."""
    if corner_area(polygon, rest, i) <= 1e-12:
        return False
    ends = (rest[i - 1], rest[i], rest[(i + 1) % len(rest)])
    corners = [polygon[k] for k in ends]
    for k in rest:
        point = polygon[k]
        if k in ends or any(point[0] == q[0] and point[1] == q[1] for q in corners):
            continue
        sides = [
            (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])
            for a, b in zip(corners, [*corners[1:], corners[0]], strict=True)
        ]
        if min(sides) >= 0:
            return False
    return True


# ------------------------------------------------------------------------------------------------------------- shapes


def lathe(
    profile: Sequence[Point], segments: int = 24, span: tuple[Real, Real] | None = None, loop: bool = False
) -> Shape:
    """A profile of (radius, z) turned about the z axis: bottles, bowls, wheels.

    Ends away from the axis are joined to it by discs, or to each other if `loop`. `span` gives a slice between two
    azimuths, closed by flat sides.
    """
    line = [(float(r), float(z)) for r, z in profile]
    if loop:
        line = [*line, line[0]]
    else:
        line = [(0.0, line[0][1])] * (line[0][0] > 0) + line + [(0.0, line[-1][1])] * (line[-1][0] > 0)
    r, z = torch.tensor(line).T
    whole = span is None or span[1] - span[0] >= 360
    first, last = (0.0, 360.0) if span is None else span
    count = segments if whole else max(2, round(segments * (last - first) / 360)) + 1
    angle = torch.deg2rad(first + (last - first) * torch.arange(count) / (count if whole else count - 1))
    rows = torch.stack([r[:, None] * angle.cos(), r[:, None] * angle.sin(), z[:, None].expand(-1, count)], -1)
    vertices, faces = tube(rows, capped=False, ring_closed=whole)
    if whole:
        return closed(vertices, faces)
    kept = line[: len(line) - (line[0] == line[-1])]
    side = torch.tensor(triangulate(kept)) * count
    # The profile's own direction says which of the two flat sides is turned.
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(kept, [*kept[1:], kept[0]], strict=True))
    begin, end = (side.flip(1), side) if area < 0 else (side, side.flip(1))
    return closed(vertices, torch.cat([faces, begin, end + count - 1]))


def cylinder(radius: Real, height: Real, segments: int = 24) -> Shape:
    """Stands on z = 0."""
    return lathe([(radius, 0.0), (radius, height)], segments)


def cone(bottom: Real, top: Real, height: Real, segments: int = 24) -> Shape:
    """A cone, or a frustum if neither radius is 0; stands on z = 0. Four segments make a pyramid."""
    return lathe([(bottom, 0.0), (top, height)], segments)


def disc(radius: Real, thickness: Real = 0.02, segments: int = 24) -> Shape:
    """A thin coin; stands on z = 0."""
    return cylinder(radius, thickness, segments)


def torus(radius: Real, thickness: Real, segments: int = 24, sides: int = 12) -> Shape:
    """A ring around the z axis; `thickness` is the radius of its tube."""
    return lathe([(radius + x, z) for x, z in circle(thickness, sides)], segments, loop=True)


def ellipsoid(x: Real, y: Real | None = None, z: Real | None = None, segments: int = 20) -> Shape:
    """With these half axes; a ball of one number."""
    rows = segments // 2
    angles = [math.pi * (i / rows - 0.5) for i in range(rows + 1)]
    profile = [(abs(math.cos(a)) if 0 < i < rows else 0.0, math.sin(a)) for i, a in enumerate(angles)]
    return lathe(profile, segments).scale(x, x if y is None else y, x if z is None else z)


def superquadric(x: Real, y: Real, z: Real, flat: Real = 0.5, square: Real = 0.5, segments: int = 24) -> Shape:
    """Half axes, and exponents: 1 is round, 0.3 nearly a box, 2 an octahedron; `flat` of the side, `square` from above.

    |sqrt-like sum| of Barr (1981): `((X/x)^(2/e) + (Y/y)^(2/e))^(e/n) + (Z/z)^(2/n) = 1`, e = square, n = flat.
    """

    def power(value: Tensor, exponent: Real) -> Tensor:
        return value.sign() * value.abs() ** exponent

    ball = ellipsoid(1.0, segments=segments)
    v = ball.vertices
    azimuth, height = torch.atan2(v[:, 1], v[:, 0]), v[:, 2].clamp(-1, 1)
    out = power(torch.where(height.abs() > 1 - 1e-6, 0.0, (1 - height.square()).clamp(min=0).sqrt()), flat)
    vertices = [x * out * power(azimuth.cos(), square), y * out * power(azimuth.sin(), square), z * power(height, flat)]
    return closed(torch.stack(vertices, -1), ball.faces)


def box(x: Real, y: Real, z: Real, rounding: Real = 0.0, steps: int = 2) -> Shape:
    """With these sides; `rounding` is the radius of its edges and corners, at most half of the shortest side."""
    rounding = min(rounding, x / 2, y / 2, z / 2)
    if rounding <= 0:
        return lathe([(math.sqrt(0.5), -0.5), (math.sqrt(0.5), 0.5)], 4).turn(45).scale(x, y, z)
    # Exact at the ends, where corners meet that are to be one.
    c = torch.tensor([1.0, *(math.cos(math.pi / 2 * i / steps) for i in range(1, steps)), 0.0])
    s = c.flip(0)
    cos, sin = torch.cat([c, -s, -c, s]), torch.cat([s, c, -s, -c])
    east = torch.tensor([1.0, -1.0, -1.0, 1.0]).repeat_interleave(steps + 1)
    north = torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat_interleave(steps + 1)
    up = torch.tensor([-1.0, 1.0]).repeat_interleave(steps + 1)
    out = rounding * torch.cat([s, c])[:, None]
    rows = torch.stack(
        [
            out * cos + east * (x / 2 - rounding),
            out * sin + north * (y / 2 - rounding),
            (rounding * torch.cat([-c, s]) + up * (z / 2 - rounding))[:, None].expand(-1, len(cos)),
        ],
        -1,
    )
    return closed(*tube(rows, capped=True))


def capsule(start: Point, stop: Point, radius: Real, end_radius: Real | None = None, segments: int = 12) -> Shape:
    """A rod with round ends between two points: limbs, necks, handles. Its radius may change along the way."""
    a, b = torch.tensor([list(start), list(stop)], dtype=torch.float32)
    length, end = float((b - a).norm()), radius if end_radius is None else end_radius
    quarter = [math.pi / 2 * i / 3 for i in range(4)]
    profile = [(radius * math.sin(t), -radius * math.cos(t)) for t in quarter]
    profile += [(end * math.cos(t), length + end * math.sin(t)) for t in quarter]
    profile[0], profile[-1] = (0.0, -radius), (0.0, length + end)
    rod = lathe(profile, segments)
    up = normalize(b - a, dim=0, eps=1e-9) if length > 1e-9 else torch.tensor([0.0, 0.0, 1.0])
    return Shape(rod.vertices @ torch.stack(across(up)) + a, rod.faces)


def across(up: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A right-handed frame whose third axis is given."""
    helper = torch.tensor([1.0, 0.0, 0.0]) if abs(float(up[0])) < 0.9 else torch.tensor([0.0, 1.0, 0.0])
    right = normalize(torch.linalg.cross(helper, up), dim=0)
    return right, torch.linalg.cross(up, right), up


def extrude(polygon: Sequence[Point], thickness: Real, axis: str = "z", taper: Real = 1.0) -> Shape:
    """A polygon given thickness along an axis, centred on it.

    The polygon's coordinates are (x, y) for "z", (x, z) for "y" (a side view: cars, chairs), (y, z) for "x". `taper`
    scales the far end about the origin.
    """
    count, h = len(polygon), thickness / 2
    flat = torch.tensor([[float(u), float(v)] for u, v in polygon])
    low, high = torch.full((count, 1), -h), torch.full((count, 1), h)
    rows = torch.stack([torch.cat([flat, low], 1), torch.cat([taper * flat, high], 1)])
    vertices, faces = tube(rows, capped=False)
    ends = torch.tensor(triangulate(polygon))
    area = float((flat[:, 0] * flat.roll(-1, 0)[:, 1] - flat.roll(-1, 0)[:, 0] * flat[:, 1]).sum())
    lower, upper = (ends.flip(1), ends) if area > 0 else (ends, ends.flip(1))
    order = {"z": [0, 1, 2], "y": [0, 2, 1], "x": [2, 0, 1]}[axis]
    return closed(vertices[:, order], torch.cat([faces, lower, upper + count]))


def sweep(
    path: Sequence[Point],
    radius: Real | Sequence[Real],
    sides: int = 10,
    section: Sequence[Point] | None = None,
    loop: bool = False,
) -> Shape:
    """A circle, or a polygon around the origin, drawn along a path of points.

    Several radii are spread evenly over the path; of a polygon they are factors. `loop` joins the ends.
    """
    line = torch.tensor([list(point) for point in path], dtype=torch.float32)
    ahead, behind = line.roll(-1, 0) - line, line - line.roll(1, 0)
    if not loop:
        ahead[-1], behind[0] = behind[-1], ahead[0]
    tangents = normalize(normalize(ahead, dim=-1) + normalize(behind, dim=-1), dim=-1)
    right, rights = across(tangents[0])[0], []
    for tangent in tangents:
        right = normalize(right - (right @ tangent) * tangent, dim=0)
        rights.append(right)
    normals = torch.stack(rights)
    widths = torch.tensor([radius] if isinstance(radius, (int, float)) else list(radius), dtype=torch.float32)
    widths = torch.nn.functional.interpolate(widths[None, None], len(line), mode="linear", align_corners=True)[0, 0]
    outline = torch.tensor(section if section is not None else circle(1.0, sides), dtype=torch.float32)
    u, v = outline[:, 0, None], outline[:, 1, None]
    offsets = u * normals[:, None] + v * torch.linalg.cross(tangents, normals)[:, None]
    rows = line[:, None] + widths[:, None, None] * offsets
    if loop:
        # The frame comes back turned; the section is shifted by the nearest number of corners.
        shift = int((rows[0][:, None] - rows[-1][None, 0]).norm(dim=-1).argmin())
        rows = torch.cat([rows, rows[:1].roll(-shift, 1)])
    return closed(*tube(rows, capped=not loop))
