"""What is wrong with a mesh, made right: numbers that are none, loose pieces, cavities, orientation, too many faces.

Holes are left as they are: marching cubes leaves none, and an open mesh that somebody made is meant to be open.
"""

import logging

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.export.extras import needs
from lodestone.export.separate_process import in_separate_process
from lodestone.rendering.samples import TriangleMesh

__all__ = ["clean", "decimate", "face_areas", "is_closed", "keep_components", "signed_volume"]

WELD = 1e-6
"""Vertices closer than this are one, as a share of the mesh's extent."""

logger = logging.getLogger(__name__)


def clean(mesh: TriangleMesh) -> TriangleMesh:
    """Without non-finite vertices, faces that point nowhere, double vertices, degenerate and double faces.

    Raises: SettingError if no face is left.
    """
    vertices, faces = mesh.vertices.detach().cpu().float(), mesh.faces.detach().cpu().long()
    faces = faces[((faces >= 0) & (faces < len(vertices))).all(dim=-1)]
    faces = faces[vertices.isfinite().all(dim=-1)[faces].all(dim=-1)]
    if not len(faces):
        raise SettingError("the mesh has no usable face, so there is nothing to export: optimize the scene first")
    vertices, faces = compact(vertices, faces)
    extent = (vertices.amax(dim=0) - vertices.amin(dim=0)).amax().clamp(min=1e-12)
    _, place = torch.unique((vertices / (WELD * extent)).round(), dim=0, return_inverse=True)
    first = torch.full((int(place.max()) + 1,), len(vertices)).scatter_reduce(
        0, place, torch.arange(len(vertices)), "amin"
    )
    faces = first[place][faces]
    proper = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    faces = without_doubles(faces[proper])
    if not len(faces):
        raise SettingError("the mesh has no area, so there is nothing to export: optimize the scene first")
    return TriangleMesh(**dict(zip(("vertices", "faces"), compact(vertices, faces), strict=True)))


def compact(vertices: Float[Tensor, "n 3"], faces: Int[Tensor, "f 3"]) -> tuple[Float[Tensor, "m 3"], Tensor]:
    """Only the vertices that a face has, in their old order."""
    used, renumbered = torch.unique(faces, return_inverse=True)
    return vertices[used], renumbered


def without_doubles(faces: Int[Tensor, "f 3"]) -> Int[Tensor, "g 3"]:
    """One of faces with the same three vertices, in the old order; none where as many look one way as the other.

    Such a pair is a fold without volume, and leaving one of it would open a closed mesh.
    """
    if not len(faces):
        return faces
    ordered = faces.sort(dim=-1).values
    _, place = torch.unique(ordered, dim=0, return_inverse=True)
    lowest = faces.argmin(dim=-1, keepdim=True)
    sign = torch.where(faces.gather(1, (lowest + 1) % 3)[:, 0] == ordered[:, 1], 1, -1)
    total = torch.zeros(int(place.max()) + 1, dtype=torch.long).index_add_(0, place, sign)
    candidate = (sign * total[place] > 0).nonzero()[:, 0]
    first = torch.full((len(total),), len(faces)).scatter_reduce(0, place[candidate], candidate, "amin")
    return faces[first[first < len(faces)].sort().values]


def cross_products(mesh: TriangleMesh) -> Float[Tensor, "f 3"]:
    """Of two sides of each face: along its normal, twice its area long."""
    a, b, c = mesh.vertices[mesh.faces].unbind(dim=1)
    return torch.linalg.cross(b - a, c - a)


def face_areas(mesh: TriangleMesh) -> Float[Tensor, " f"]:
    """The area of each face."""
    return cross_products(mesh).norm(dim=-1) / 2


def cone_volumes(mesh: TriangleMesh) -> Float[Tensor, " f"]:
    """Signed volumes between each face and the vertices' centre."""
    centred = mesh.vertices.double() - mesh.vertices.double().mean(dim=0)
    a, b, c = centred[mesh.faces].unbind(dim=1)
    return (a * torch.linalg.cross(b, c)).sum(dim=-1) / 6


def signed_volume(mesh: TriangleMesh) -> float:
    """The volume inside a closed mesh, negative if its faces are turned inside out."""
    return float(cone_volumes(mesh).sum())


def half_edges(faces: Int[Tensor, "f 3"]) -> Int[Tensor, "e 2"]:
    """The three directed edges of each face, face after face."""
    return torch.stack([faces, faces.roll(-1, dims=1)], dim=-1).flatten(0, 1)


def closed_faces(mesh: TriangleMesh) -> Bool[Tensor, " f"]:
    """Whether as many faces run along each edge of a face one way as the other: two, or four where a body touches
    itself."""
    edges, count = half_edges(mesh.faces), len(mesh.vertices)
    there, back = edges[:, 0] * count + edges[:, 1], edges[:, 1] * count + edges[:, 0]
    _, place = torch.unique(torch.cat([there, back]), return_inverse=True)
    runs, returns = (torch.bincount(part, minlength=int(place.max()) + 1) for part in place.chunk(2))
    return (runs == returns)[place[: len(edges)]].view(-1, 3).all(dim=-1)


def is_closed(mesh: TriangleMesh) -> bool:
    """Whether the mesh is watertight and consistently oriented."""
    return bool(closed_faces(mesh).all())


def components(mesh: TriangleMesh) -> Int[Tensor, " f"]:
    """The number of the connected piece that each face belongs to."""
    with needs("mesh"):
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
    edges, count = half_edges(mesh.faces).numpy(), len(mesh.vertices)
    graph = coo_array((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    return torch.from_numpy(labels.astype(np.int64))[mesh.faces[:, 0]]


def keep_components(mesh: TriangleMesh, *, share: float) -> TriangleMesh:
    """The pieces with at least `share` of the largest one's area, without cavities, turned right side out.

    A cavity is a closed piece whose faces look inwards while those of the largest piece look outwards.
    """
    piece = components(mesh)
    areas = torch.bincount(piece, weights=face_areas(mesh))
    volumes = torch.bincount(piece, weights=cone_volumes(mesh))
    closed = torch.bincount(piece, weights=(~closed_faces(mesh)).double()) == 0
    largest = int(areas.argmax())
    inside_out = bool(closed[largest]) and bool(volumes[largest] < 0)
    cavity = closed & ((volumes > 0) if inside_out else (volumes < 0))
    kept = (areas >= share * areas[largest]) & ~cavity
    faces = mesh.faces[kept[piece]]
    vertices, faces = compact(mesh.vertices, faces.flip(-1) if inside_out else faces)
    return TriangleMesh(vertices=vertices, faces=faces)


def decimate(mesh: TriangleMesh, *, faces: int, seconds: float) -> TriangleMesh:
    """The mesh with at most so many faces, by quadric edge collapse (Garland and Heckbert 1997, fast-simplification).

    Raises: SettingError if it takes longer than `seconds` or does not succeed.
    """
    if len(mesh.faces) <= faces:
        return mesh
    logger.info("decimating %d faces to %d", len(mesh.faces), faces)
    with needs("mesh"):
        import fast_simplification  # noqa: F401 (the other process needs it)
    result = in_separate_process(
        "decimate",
        {"vertices": mesh.vertices, "faces": mesh.faces, "count": torch.tensor([faces])},
        seconds=seconds,
    )
    if result is None:
        raise SettingError(
            f"decimating {len(mesh.faces)} faces to {faces} did not succeed within {seconds:g} s: "
            "choose a coarser grid for the mesh"
        )
    return clean(TriangleMesh(vertices=result["vertices"], faces=result["faces"]))
