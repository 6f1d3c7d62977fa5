"""Pictures that a person judges a scene by: the sheet of views, the strip during optimization, the turntable."""

import importlib
import importlib.util
import logging
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.rendering.cameras import EvaluationCamera, Viewpoints
from lodestone.scenes.scene import AbstractScene, Rendering
from lodestone.storage import write_atomically

__all__ = [
    "AZIMUTHS",
    "ELEVATIONS",
    "GUTTER",
    "contact_sheet",
    "preview_strip",
    "render_views",
    "to_bytes",
    "write_picture",
    "write_turntable",
]

AZIMUTHS = 8
"""Columns of the contact sheet: every 45 degrees from the front, counter-clockwise seen from above."""

ELEVATIONS = (10.0, 40.0)
"""Rows of the contact sheet, in degrees."""

GUTTER = 4
"""White pixels around every view of the contact sheet."""

CHUNK = 4
"""Views rendered at once: bounds the memory."""

logger = logging.getLogger(__name__)


def render_views(scene: AbstractScene, viewpoints: Viewpoints, size: int) -> Iterator[Rendering]:
    """Square renderings on white without gradients, a few views at a time, in the viewpoints' order."""
    cameras = viewpoints.cameras(size, size).to(next(scene.parameters()).device)
    for start in range(0, len(cameras), CHUNK):
        part = replace(
            cameras,
            camera_to_world=cameras.camera_to_world[start : start + CHUNK],
            intrinsics=cameras.intrinsics[start : start + CHUNK],
        )
        white = torch.ones(len(part), 3, device=part.intrinsics.device)
        with torch.no_grad():
            rendering = scene.render(part, white)
        yield rendering


def to_bytes(values: Float[Tensor, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """[0, 1] to 0..255, rounded; NaN becomes 0."""
    return (values.detach().nan_to_num(0.0).clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()


def contact_sheet(scene: AbstractScene, *, prompt: str, camera: EvaluationCamera, size: int = 256) -> Image.Image:
    """The scene at a glance: 8 azimuths x 2 elevations on white, `size` pixels each, and a small row below.

    Column a is azimuth 45 a, row e is `ELEVATIONS[e]`; view (e, a) begins `GUTTER + (size + GUTTER) * (a, e)` pixels
    from the left and the top, so the front is the first. The small row has the front's opacity, its depth (near is
    bright), and the object over black and over grey, which betray haze that white hides; then the prompt.
    The elevation of `camera` is not used.
    """
    rows = [list(render_views(scene, replace(camera, elevation=e).viewpoints(AZIMUTHS), size)) for e in ELEVATIONS]
    step, small = size + GUTTER, size // 2
    sheet = Image.new("RGB", (AZIMUTHS * step + GUTTER, len(rows) * step + small + 2 * GUTTER), "white")
    for e, row in enumerate(rows):
        views = np.concatenate([to_bytes(part.color) for part in row])
        for a, view in enumerate(views):
            sheet.paste(Image.fromarray(view), (GUTTER + a * step, GUTTER + e * step))
    top = GUTTER + len(rows) * step
    for i, picture in enumerate(details(rows[0][0])):
        sheet.paste(picture.resize((small, small), Image.Resampling.BOX), (GUTTER + i * (small + GUTTER), top))
    write_caption(sheet, prompt, (4 * (small + GUTTER) + 4 * GUTTER, top + GUTTER))
    return sheet


def details(rendering: Rendering) -> list[Image.Image]:
    """Opacity, depth, over black, over grey of the first of some renderings on white."""
    color, opacity = rendering.color[0], rendering.opacity[0]
    over_black = color - (1 - opacity)
    pictures = [opacity.expand_as(color), shade_depth(rendering)[0], over_black, over_black + 0.5 * (1 - opacity)]
    return [Image.fromarray(to_bytes(picture)) for picture in pictures]


def shade_depth(rendering: Rendering) -> Float[Tensor, "v h w 3"]:
    """Depth as grey: white at the nearest opaque pixel of each view, dark at the farthest, black where it is empty."""
    depth, solid = rendering.depth, rendering.opacity > 0.5
    near = depth.masked_fill(~solid, torch.inf).amin(dim=(1, 2, 3), keepdim=True)
    far = depth.masked_fill(~solid, -torch.inf).amax(dim=(1, 2, 3), keepdim=True)
    shade = 1 - 0.8 * ((depth - near) / (far - near).clamp(min=1e-6)).clamp(0, 1)
    return torch.where(solid, shade, 0.0).expand(-1, -1, -1, 3)


def write_caption(sheet: Image.Image, text: str, corner: tuple[int, int]) -> None:
    """One line of text, cut to what fits on the sheet."""
    font, room = ImageFont.load_default(size=16), sheet.width - corner[0] - GUTTER
    line = " ".join(text.split())
    while line and font.getlength(line) > room:
        line = line[:-2].rstrip(".") + "…" if len(line) > 2 else ""
    ImageDraw.Draw(sheet).text(corner, line, fill="black", font=font)


def preview_strip(rendering: Rendering) -> Image.Image:
    """Colour | opacity | depth (| normals) side by side, one row for each view."""
    columns = [rendering.color, rendering.opacity.expand_as(rendering.color), shade_depth(rendering)]
    if rendering.normals is not None:
        columns.append((rendering.normals + 1) / 2)
    strip = torch.cat(columns, dim=2)
    return Image.fromarray(to_bytes(strip.flatten(0, 1)))


def write_picture(path: Path, picture: Image.Image) -> None:
    """Writes a picture atomically, in the format of the suffix.

    Raises: SettingError if the file cannot be written.
    """
    write_atomically(path, picture.save)


def write_turntable(folder: Path, frames: Iterable[UInt8[np.ndarray, "h w 3"]], *, frame_rate: int = 24) -> list[Path]:
    """Writes `turntable.webp`, looped, and `turntable.mp4` if there is an ffmpeg; returns what was written.

    ffmpeg is taken from the PATH or from the optional package `imageio_ffmpeg`. A failure to make the second file is
    logged and does not harm the first.

    Raises: SettingError if there are no frames or the first file cannot be written.
    """
    kept = list(frames)
    if not kept:
        raise SettingError("a turntable needs at least one frame: render one or more views")
    moving = folder / "turntable.webp"
    write_atomically(moving, lambda temporary: save_webp(temporary, kept, frame_rate))
    executable = find_ffmpeg()
    if executable is None:
        return [moving]
    film = folder / "turntable.mp4"
    try:
        write_atomically(film, lambda temporary: encode_mp4(executable, temporary, kept, frame_rate))
    except (SettingError, subprocess.SubprocessError) as error:
        logger.warning("ffmpeg could not write %s (%s); turntable.webp shows the same", film, error)
        return [moving]
    return [moving, film]


def save_webp(path: Path, frames: Sequence[UInt8[np.ndarray, "h w 3"]], frame_rate: int) -> None:
    """An endless animation."""
    first, *others = (Image.fromarray(frame) for frame in frames)
    duration = round(1000 / frame_rate)
    first.save(path, format="WEBP", save_all=True, append_images=others, duration=duration, loop=0, quality=85)


def find_ffmpeg() -> str | None:
    """Path of an ffmpeg, if the machine or the optional package has one."""
    found = shutil.which("ffmpeg")
    if found is not None or importlib.util.find_spec("imageio_ffmpeg") is None:
        return found
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


def encode_mp4(executable: str, path: Path, frames: Sequence[UInt8[np.ndarray, "h w 3"]], frame_rate: int) -> None:
    """Pipes raw frames into ffmpeg; the picture is padded to even sides, which the usual pixel format needs."""
    height, width, _ = frames[0].shape
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(frame_rate), "-i", "-"]
    target = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    command = [executable, "-y", "-loglevel", "error", *source, *target, str(path)]
    stream = b"".join(frame.tobytes() for frame in frames)
    subprocess.run(command, input=stream, check=True, capture_output=True, timeout=600)
