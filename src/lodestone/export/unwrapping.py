"""Texture coordinates: charts of xatlas, or an atlas of our own when xatlas hangs, fails or folds charts over.

The atlas of our own gives every two faces one cell of a square grid, cut along its diagonal. It has a seam at every
edge, but no input can break it.
"""

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lodestone.export import separate_process
from lodestone.export.extras import needs
from lodestone.export.separate_process import in_separate_process
from lodestone.export.visibility import cover_texture
from lodestone.rendering.samples import TriangleMesh

__all__ = ["GUTTER", "Unwrapped", "cell_atlas", "overlap", "unwrap"]

GUTTER = 2
"""Texels between charts."""

MOST_OVERLAP = 0.01
"""Of charts that do not overlap: texels are counted by their centres, which is right to about this."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Unwrapped:
    """A mesh cut open along its seams."""

    source: Int[Tensor, " m"]
    """The vertex of the mesh that each vertex of the cut mesh is a copy of."""
    faces: Int[Tensor, "f 3"]
    """The mesh's faces in their order, in terms of the copies."""
    uv: Float[Tensor, "m 2"]
    """In [0, 1], v downwards."""
    method: str


def unwrap(
    mesh: TriangleMesh, *, size: int, seconds: float, program: Path = Path(separate_process.__file__)
) -> Unwrapped:
    """Texture coordinates for a texture of `size` x `size` texels, in at most about `seconds`."""
    with needs("mesh"):
        import xatlas  # noqa: F401 (the other process needs it)
    numbers = {"size": torch.tensor([size]), "gutter": torch.tensor([GUTTER])}
    charts = in_separate_process(
        "unwrap", {"vertices": mesh.vertices, "faces": mesh.faces, **numbers}, seconds=seconds, program=program
    )
    if charts is not None and fits(charts, mesh, size):
        return Unwrapped(source=charts["source"], faces=charts["faces"], uv=charts["uv"], method="xatlas")
    logger.warning("the texture's charts are single faces, with a seam at every edge")
    return cell_atlas(mesh.faces, size=size)


def fits(charts: dict[str, Tensor], mesh: TriangleMesh, size: int) -> bool:
    """Whether the charts are those of the mesh, within the texture, and do not overlap."""
    source, faces, uv = (charts[name] for name in ("source", "faces", "uv"))
    if faces.shape != mesh.faces.shape or not len(uv) or not uv.isfinite().all():
        return False
    if not torch.equal(source[faces], mesh.faces):
        return False
    within = bool(((uv >= 0) & (uv <= 1)).all())
    return within and overlap(uv, faces, size) <= MOST_OVERLAP


def overlap(uv: Float[Tensor, "m 2"], faces: Int[Tensor, "f 3"], size: int) -> float:
    """How much larger the faces are together than what they cover of the texture, as a share of it."""
    a, b, c = (uv[corner].double() for corner in faces.unbind(dim=1))
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).abs().sum()
    covered = (cover_texture(uv, faces, size).triangle >= 0).double().mean()
    return float(area / covered.clamp(min=1e-12) - 1)


def cell_atlas(faces: Int[Tensor, "f 3"], *, size: int) -> Unwrapped:
    """Two faces to a cell; corners keep a gutter from the cell's border and from its diagonal, if there is room."""
    count = len(faces)
    cells = max(1, math.ceil(math.sqrt(math.ceil(count / 2))))
    side = 1 / cells
    gutter = min(GUTTER / 2 / size, side / 8)
    near, far = gutter, side - 3.5 * gutter  # the diagonal takes 2.4 gutters of each leg
    lower = torch.tensor([[near, near], [far, near], [near, far]])
    corners = torch.stack([lower, side - lower])
    index = torch.arange(count)
    cell = index // 2
    origin = torch.stack([cell % cells, cell // cells], dim=-1) * side
    uv = origin[:, None] + corners[index % 2]
    return Unwrapped(
        source=faces.flatten(), faces=torch.arange(3 * count).view(-1, 3), uv=uv.flatten(0, 1), method="cells"
    )
