"""A mesh seen by cameras: what every pixel meets, and pictures of it with antialiased silhouettes.

A camera's clip position of a point (X, Y, Z) in its own axes is (2 (fx X + cx Z) / w - Z, 2 (fy Y + cy Z) / h - Z,
z, Z), so that rows grow with y as in OpenCV; z maps the near plane to -1 and the far plane to 1.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from lodestone.kernels.rasterization import Edges, Fragments, antialias, edges_of, interpolate, rasterize
from lodestone.rendering.cameras import Cameras
from lodestone.rendering.samples import TriangleMesh

__all__ = ["VisibleSurface", "clip_positions", "face_normals", "see", "vertex_normals"]

NEAR = 0.01
FAR = 1000.0
"""Camera depths between which something is seen, in world units."""


def clip_positions(cameras: Cameras, points: Float[Tensor, "n 3"]) -> Float[Tensor, "v n 4"]:
    """Homogeneous positions of points, for `lodestone.kernels.rasterization.rasterize`; w is the camera depth."""
    rotation, center = cameras.camera_to_world[:, :3, :3], cameras.camera_to_world[:, :3, 3]
    k = cameras.intrinsics
    scale_x, scale_y = 2 / cameras.width, 2 / cameras.height
    projection = k.new_zeros(len(k), 4, 3)
    projection[:, 0, 0], projection[:, 0, 2] = scale_x * k[:, 0, 0], scale_x * k[:, 0, 2] - 1
    projection[:, 1, 1], projection[:, 1, 2] = scale_y * k[:, 1, 1], scale_y * k[:, 1, 2] - 1
    projection[:, 2, 2], projection[:, 3, 2] = (FAR + NEAR) / (FAR - NEAR), 1
    matrix = (projection[..., None] * rotation.mT[:, None]).sum(dim=2)
    offset = -(matrix * center[:, None]).sum(dim=-1)
    offset[:, 2] -= 2 * FAR * NEAR / (FAR - NEAR)
    return points @ matrix.mT + offset[:, None]


def face_vectors(mesh: TriangleMesh) -> Float[Tensor, "f 3"]:
    """Normals whose lengths are twice the areas."""
    a, b, c = mesh.vertices[mesh.faces].unbind(dim=1)
    return torch.linalg.cross(b - a, c - a)


def face_normals(mesh: TriangleMesh) -> Float[Tensor, "f 3"]:
    """Outward unit normals of the triangles; zero for one without area."""
    return normalize(face_vectors(mesh), dim=-1, eps=1e-20)


def vertex_normals(mesh: TriangleMesh) -> Float[Tensor, "n 3"]:
    """Unit normals of the vertices: means over their triangles, weighted by area; zero for a vertex of none."""
    vectors = face_vectors(mesh)
    sums = torch.zeros_like(mesh.vertices)
    for corner in mesh.faces.unbind(dim=1):
        sums = sums.index_add(0, corner, vectors)
    return normalize(sums, dim=-1, eps=1e-20)


@dataclass(frozen=True, kw_only=True)
class VisibleSurface:
    """The points of a mesh that the pixels of some cameras see; p of all pixels see one."""

    mesh: TriangleMesh
    edges: Edges
    clip: Float[Tensor, "v n 4"]
    fragments: Fragments

    @property
    def seen(self) -> Bool[Tensor, "v h w"]:
        """Which pixels see the mesh."""
        return self.fragments.triangle >= 0

    def at_pixels(self, attributes: Float[Tensor, "n c"]) -> Float[Tensor, "p c"]:
        """Attributes of the vertices, interpolated at the pixels that see the mesh, view after view, row after row."""
        return interpolate(attributes, self.mesh.faces, self.fragments)[self.seen]

    def points(self) -> Float[Tensor, "p 3"]:
        """Where the pixels meet the mesh, in the world."""
        return self.at_pixels(self.mesh.vertices)

    def smooth_normals(self) -> Float[Tensor, "p 3"]:
        """Unit normals interpolated between the vertices."""
        return normalize(self.at_pixels(vertex_normals(self.mesh)), dim=-1)

    def flat_normals(self) -> Float[Tensor, "p 3"]:
        """Unit normals of the triangles."""
        return face_normals(self.mesh)[self.fragments.triangle[self.seen]]

    def toward_eye(self, cameras: Cameras, points: Float[Tensor, "p 3"]) -> Float[Tensor, "p 3"]:
        """Unit vectors from the points to the cameras that see them."""
        view = self.seen.nonzero()[:, 0]
        return normalize(cameras.camera_to_world[view, :3, 3] - points, dim=-1)

    def depth(self) -> Float[Tensor, "v h w 1"]:
        """Camera depth, 0 where nothing is seen."""
        return interpolate(self.clip[..., 3:], self.mesh.faces, self.fragments)

    def image(self, values: Float[Tensor, "p c"]) -> Float[Tensor, "v h w c"]:
        """Values of the pixels that see the mesh as pictures, 0 elsewhere."""
        seen = self.seen
        return values.new_zeros(*seen.shape, values.shape[-1]).index_put(seen.nonzero(as_tuple=True), values)

    def antialias(self, image: Float[Tensor, "v h w c"]) -> Float[Tensor, "v h w c"]:
        """The same pictures with antialiased silhouettes, whose gradient moves the vertices."""
        return antialias(image, self.fragments, self.clip, self.mesh.faces, self.edges)


def see(mesh: TriangleMesh, cameras: Cameras) -> VisibleSurface:
    """What cameras see of a mesh; both sides of its triangles are seen."""
    clip = clip_positions(cameras, mesh.vertices)
    fragments = rasterize(clip, mesh.faces, cameras.height, cameras.width)
    return VisibleSurface(mesh=mesh, edges=edges_of(mesh.faces, len(mesh.vertices)), clip=clip, fragments=fragments)
