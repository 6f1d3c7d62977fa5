"""A finished scene as the files that a user keeps."""

import enum
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lodestone.errors import SettingError
from lodestone.export.mesh import MeshFormat, write_mesh
from lodestone.export.pictures import (
    contact_sheet,
    render_views,
    to_bytes,
    write_picture,
    write_turntable,
)
from lodestone.export.ply import write_ply
from lodestone.export.splat_file import write_splat
from lodestone.rendering.cameras import EvaluationCamera
from lodestone.scenes.gaussians import GaussianScene, RawGaussians
from lodestone.scenes.scene import AbstractScene

__all__ = ["Format", "SplatFormat", "gaussians_of", "render_frames", "write_asset", "write_formats"]


class SplatFormat(enum.StrEnum):
    """Formats of Gaussian splats; the value is the file's suffix without its dot."""

    PLY = "ply"
    SPLAT = "splat"


Format = SplatFormat | MeshFormat
"""Whatever a scene can be exported as."""


def write_asset(
    folder: Path,
    scene: AbstractScene,
    *,
    prompt: str,
    formats: Sequence[Format],
    camera: EvaluationCamera,
    frames: int = 72,
    size: int = 256,
) -> list[Path]:
    """Writes every format, views.png, turntable.webp and perhaps turntable.mp4 into `folder`.

    `size` is the side of a view in pixels, `frames` the number of pictures in a full turn. Returns what was written.

    Raises: SettingError if a format cannot hold the scene, nothing of it is visible, or a file cannot be written.
    """
    paths = write_formats(folder, scene, formats, camera)
    views = folder / "views.png"
    write_picture(views, contact_sheet(scene, prompt=prompt, camera=camera, size=size))
    return [*paths, views, *write_turntable(folder, render_frames(scene, frames, size, camera=camera))]


def write_formats(
    folder: Path,
    scene: AbstractScene,
    formats: Sequence[Format],
    camera: EvaluationCamera,
    *,
    faces: int = 20_000,
    texture_size: int = 1024,
) -> list[Path]:
    """Writes a scene in some formats; `faces` and `texture_size` are those of meshes."""
    splats = [wanted for wanted in formats if isinstance(wanted, SplatFormat)]
    meshes = [wanted for wanted in formats if isinstance(wanted, MeshFormat)]
    paths = [write_splats(folder, gaussians_of(scene, wanted), wanted) for wanted in splats]
    if meshes:
        paths += write_mesh(folder, scene, faces=faces, texture_size=texture_size, formats=meshes, camera=camera)
    return paths


def gaussians_of(scene: AbstractScene, wanted: SplatFormat) -> RawGaussians:
    """The parameters of a Gaussian scene.

    Raises: SettingError if the scene is of another kind.
    """
    if not isinstance(scene, GaussianScene):
        raise SettingError(f"format {wanted} holds Gaussians only, and the scene has none: choose another format")
    return scene.raw


def write_splats(folder: Path, raw: RawGaussians, wanted: SplatFormat) -> Path:
    """Writes `splats.<format>` into the folder.

    Raises: SettingError if no Gaussian is visible or the file cannot be written.
    """
    path = folder / f"splats.{wanted}"
    match wanted:
        case SplatFormat.PLY:
            write_ply(path, raw)
        case SplatFormat.SPLAT:
            write_splat(path, raw)
    return path


def render_frames(
    scene: AbstractScene, count: int, size: int, *, camera: EvaluationCamera
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """`count` square pictures of a full turn that begins at the front, on white, one at a time."""
    for rendering in render_views(scene, camera.viewpoints(count), size):
        yield from to_bytes(rendering.color)
