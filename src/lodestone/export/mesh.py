"""From any scene to a textured mesh in files."""

import enum
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from lodestone.errors import check_range
from lodestone.export.agreement import Agreement, compare
from lodestone.export.isosurface import surface_of_volume
from lodestone.export.mesh_cleaning import clean, decimate, is_closed, keep_components, signed_volume
from lodestone.export.mesh_files import write_glb, write_obj
from lodestone.export.texture_baking import bake_color, bake_views, texels_of, textured
from lodestone.export.unwrapping import unwrap
from lodestone.rendering.cameras import EvaluationCamera
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.scene import AbstractMesher, AbstractScene
from lodestone.scenes.surface import ColoredMesh, TexturedMesh, Volume
from lodestone.storage import write_text

__all__ = ["MeshFormat", "MeshReport", "Mesher", "sentences", "textured_mesh", "triangles_of", "write_mesh"]

CELLS = 128
"""Cubes along the longest side of the grid that a volume is sampled on."""

SMALLEST_PIECE = 0.01
"""Pieces with less area than this share of the largest one's are left out."""

SECONDS = 120.0
"""For decimation, and again for unwrapping."""

PICTURE = 512
"""Size in pixels of the pictures that are projected back."""

logger = logging.getLogger(__name__)


class MeshFormat(enum.StrEnum):
    """Formats of textured meshes; the value is the file's suffix without its dot."""

    GLB = "glb"
    OBJ = "obj"


@dataclass(frozen=True, kw_only=True)
class MeshReport:
    """What `mesh.json` holds."""

    faces: int
    vertices: int
    watertight: bool
    volume: float | None
    """In cubic world units; None if the mesh is open."""
    unwrapping: str
    texture_size: int
    seconds: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Mesher(AbstractMesher):
    """Meshes for the next stage, as they are exported."""

    camera: EvaluationCamera
    faces: int = 20_000

    def mesh(self, scene: AbstractScene, *, texture_size: int) -> TexturedMesh:
        return textured_mesh(scene, faces=self.faces, texture_size=texture_size, camera=self.camera)[0]


def write_mesh(
    folder: Path,
    scene: AbstractScene,
    *,
    name: str = "mesh",
    faces: int = 20_000,
    texture_size: int = 1024,
    formats: Sequence[MeshFormat] = (MeshFormat.GLB,),
    camera: EvaluationCamera,
) -> list[Path]:
    """Writes `<name>.glb`, or `<name>.obj` with its material and texture, and `<name>.json`; returns what was written.

    Args:
        faces: at most so many triangles; a mesh that a scene holds with its texture is written as it is.
        texture_size: side of the texture in texels.
        camera: from where the files are compared with the scene.

    Raises: SettingError if the scene has no surface, nothing of it is opaque, or a file cannot be written.
    """
    check_range("--faces", faces, 100, 10_000_000)
    check_range("--texture-size", texture_size, 64, 8192)
    mesh, report = textured_mesh(scene, faces=faces, texture_size=texture_size, camera=camera)
    paths: list[Path] = []
    agreements: dict[str, Agreement] = {}
    for wanted in formats:
        path = folder / f"{name}.{wanted}"
        match wanted:
            case MeshFormat.GLB:
                write_glb(path, mesh)
                paths.append(path)
            case MeshFormat.OBJ:
                paths += write_obj(path, mesh)
        agreements[path.name] = compare(path, scene, camera=camera)
        logger.info("%s: %s", path.name, agreements[path.name])
    described = {**asdict(report), "agreement": {file: asdict(one) for file, one in agreements.items()}}
    write_text(folder / f"{name}.json", json.dumps(described, indent=2) + "\n")
    return [*paths, folder / f"{name}.json"]


def textured_mesh(
    scene: AbstractScene, *, faces: int, texture_size: int, camera: EvaluationCamera
) -> tuple[TexturedMesh, MeshReport]:
    """The scene's surface, cleaned, decimated, unwrapped and baked; a textured mesh stays as it is."""
    clock = [time.perf_counter()]
    surface = scene.surface()
    if isinstance(surface, TexturedMesh):
        mesh = clean(TriangleMesh(vertices=surface.vertices, faces=surface.faces))  # without the texture's seams
        return surface, report_of(mesh, "the scene's own", surface.texture.shape[0], clock, ())
    mesh = triangles_of(scene, surface, faces=faces, field_of_view=camera.field_of_view)
    clock.append(time.perf_counter())
    unwrapped = unwrap(mesh, size=texture_size, seconds=SECONDS)
    clock.append(time.perf_counter())
    texels = texels_of(mesh, unwrapped, texture_size)
    if surface.color is not None:
        texture = bake_color(texels, surface.color, next(scene.parameters()).device)
    else:
        texture = bake_views(texels, mesh, unwrapped, scene, camera, PICTURE)
    clock.append(time.perf_counter())
    report = report_of(mesh, unwrapped.method, texture_size, clock, ("surface", "unwrapping", "baking"))
    return textured(mesh, unwrapped, texture), report


def triangles_of(
    scene: AbstractScene, surface: Volume | ColoredMesh, *, faces: int, field_of_view: float
) -> TriangleMesh:
    """The surface as clean triangles, at most `faces` of them."""
    if isinstance(surface, Volume):
        rough = surface_of_volume(surface, scene, cells=CELLS, field_of_view=field_of_view)
    else:
        rough = surface.mesh
    return decimate(keep_components(clean(rough), share=SMALLEST_PIECE), faces=faces, seconds=SECONDS)


def report_of(
    mesh: TriangleMesh, unwrapping: str, texture_size: int, clock: Sequence[float], phases: Sequence[str]
) -> MeshReport:
    """Figures of a mesh."""
    closed = is_closed(mesh)
    spent = (round(end - start, 2) for start, end in pairwise(clock))
    return MeshReport(
        faces=len(mesh.faces),
        vertices=len(mesh.vertices),
        watertight=closed,
        volume=signed_volume(mesh) if closed else None,
        unwrapping=unwrapping,
        texture_size=texture_size,
        seconds=dict(zip(phases, spent, strict=True)),
    )


def sentences(path: Path) -> list[str]:
    """How much each file that a report is about looks like the scene."""
    found = json.loads(path.read_text(encoding="utf-8"))["agreement"]
    return [f"{file}: {Agreement(**values)}" for file, values in found.items()]
