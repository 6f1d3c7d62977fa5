"""Objects put together: one mesh with materials, in the frame that cameras see.

The frame: z up, front +x. The middle of the bounding box is the origin and the farthest vertex has distance 1, so that
everything lies in the unit ball. Beside it every vertex knows its place in the frame of its own object (`local`), which
patterns read, and its canonical coordinates: the same place in that object's own unit ball.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from lodestone.data.worlds.materials import Material
from lodestone.data.worlds.shapes import rotation
from lodestone.data.worlds.things import Part
from lodestone.rendering.samples import TriangleMesh

__all__ = ["PaintedMesh", "Placed", "assemble", "corner_normals"]

CREASE = 40.0
"""Degrees between two triangles from which their edge is seen as an edge."""


@dataclass(frozen=True)
class Placed:
    """The parts of an object and where they stand: scaled, turned about z, moved."""

    parts: Sequence[Part]
    scale: float = 1.0
    turn: float = 0.0
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0

    def local(self) -> Float[Tensor, "n 3"]:
        """All vertices in the object's own frame."""
        return torch.cat([shape.vertices for shape, _ in self.parts])

    def vertices(self) -> Float[Tensor, "n 3"]:
        """All vertices where they stand."""
        return self.place(self.local())

    def place(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Points of the object's own frame where they stand."""
        return self.scale * points @ rotation(self.turn, "z").T + torch.tensor([self.x, self.y, self.z])


@dataclass(frozen=True, kw_only=True)
class PaintedMesh:
    """Everything that a scene shows, in the unit ball."""

    mesh: TriangleMesh
    normals: Float[Tensor, "f 3 3"]
    """Of every corner of every face: smooth, but for creases."""
    local: Float[Tensor, "n 3"]
    """Vertices in the frames of their own objects, in the units of their category functions."""
    material: Int[Tensor, " f"]
    materials: tuple[Material, ...]
    owner: Int[Tensor, " f"]
    """Which of the objects a face belongs to."""
    centers: Float[Tensor, "k 3"]
    radii: Float[Tensor, " k"]
    """Of the objects' balls in their own frames; `(local - center) / radius` are canonical coordinates."""


def ball(points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "3"], Float[Tensor, ""]]:
    """The middle of the bounding box and the distance of the farthest point from it."""
    center = (points.amin(dim=0) + points.amax(dim=0)) / 2
    return center, (points - center).norm(dim=-1).amax()


def corner_normals(mesh: TriangleMesh) -> Float[Tensor, "f 3 3"]:
    """At each corner the mean normal of the faces around its vertex that make no crease with its own, by angle."""
    corners = mesh.vertices[mesh.faces]
    edges = normalize(corners.roll(-1, 1) - corners, dim=-1, eps=1e-20)
    angle = (-edges * edges.roll(1, 1)).sum(-1).clamp(-1, 1).acos()
    unit = normalize(torch.linalg.cross(edges[:, 0], edges[:, 1]), dim=-1, eps=1e-20)
    share = (angle[..., None] * unit[:, None]).view(-1, 3)
    corner, own = mesh.faces.flatten(), unit.repeat_interleave(3, 0)
    total = torch.zeros_like(mesh.vertices).index_add_(0, corner, share)
    normals = normalize(total, dim=-1, eps=1e-20)[corner]
    # Faces within half of the angle of their mean make no crease with each other; other vertices are looked at closely.
    bent = (normals * own).sum(-1) < math.cos(math.radians(CREASE / 2))
    near_crease = torch.zeros(len(mesh.vertices), dtype=torch.bool).index_fill_(0, corner[bent], True)
    chosen = near_crease[corner].nonzero()[:, 0]
    normals[chosen] = creased(corner[chosen], own[chosen], share[chosen])
    return normals.view(-1, 3, 3)


def creased(vertex: Int[Tensor, " c"], own: Float[Tensor, "c 3"], share: Float[Tensor, "c 3"]) -> Float[Tensor, "c 3"]:
    """Normals of all corners of some vertices, from every pair of corners at one vertex."""
    vertex, order = vertex.sort(stable=True)
    own, share = own[order], share[order]
    _, counts = torch.unique_consecutive(vertex, return_counts=True)
    repeats = counts.repeat_interleave(counts)
    starts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    first = torch.arange(len(vertex)).repeat_interleave(repeats)
    second = starts[first] + torch.arange(len(first)) - (repeats.cumsum(0) - repeats)[first]
    smooth = (own[first] * own[second]).sum(-1) > math.cos(math.radians(CREASE))
    total = torch.zeros_like(own).index_add_(0, first[smooth], share[second[smooth]])
    known = total.norm(dim=-1, keepdim=True) > 1e-12
    return torch.empty_like(own).index_copy_(0, order, torch.where(known, normalize(total, dim=-1, eps=1e-20), own))


def assemble(objects: Sequence[Placed]) -> PaintedMesh:
    """One mesh of all objects, moved and scaled into the unit ball."""
    vertices = torch.cat([placed.vertices() for placed in objects])
    center, radius = ball(vertices)
    shapes = [shape for placed in objects for shape, _ in placed.parts]
    offsets = torch.tensor([0, *(len(shape.vertices) for shape in shapes)]).cumsum(0).tolist()
    faces = torch.cat([shape.faces + offset for shape, offset in zip(shapes, offsets, strict=False)])
    per_shape = torch.tensor([len(shape.faces) for shape in shapes])
    owners = torch.tensor([index for index, placed in enumerate(objects) for _ in placed.parts])
    mesh = TriangleMesh(vertices=(vertices - center) / radius, faces=faces)
    balls = [ball(placed.local()) for placed in objects]
    return PaintedMesh(
        mesh=mesh,
        normals=corner_normals(mesh),
        local=torch.cat([placed.local() for placed in objects]),
        material=torch.arange(len(shapes)).repeat_interleave(per_shape),
        materials=tuple(material for placed in objects for _, material in placed.parts),
        owner=owners.repeat_interleave(per_shape),
        centers=torch.stack([middle for middle, _ in balls]),
        radii=torch.stack([size for _, size in balls]),
    )
