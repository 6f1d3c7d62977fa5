"""Sheets, strips and turntables."""

import math
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lodestone.errors import SettingError
from lodestone.export import pictures
from lodestone.export.pictures import (
    AZIMUTHS,
    ELEVATIONS,
    GUTTER,
    contact_sheet,
    preview_strip,
    render_views,
    to_bytes,
    write_picture,
    write_turntable,
)
from lodestone.rendering.cameras import Cameras, EvaluationCamera
from lodestone.scenes.scene import AbstractScene, Rendering

CAMERA = EvaluationCamera(distance=3.0, field_of_view=50.0)


class Compass(AbstractScene):
    """A scene whose views are plain: red is the azimuth / 360, green the elevation / 90, over any background."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def render(self, cameras: Cameras, background: Tensor, rng: torch.Generator | None = None) -> Rendering:
        x, y, z = cameras.camera_to_world[:, :3, 3].unbind(-1)
        azimuth = torch.rad2deg(torch.atan2(y, x)).remainder(360) / 360
        elevation = torch.rad2deg(torch.asin(z / CAMERA.distance)) / 90
        plain = torch.stack([azimuth, elevation, torch.zeros_like(x)], dim=-1) + self.weight
        color = plain[:, None, None].expand(-1, cameras.height, cameras.width, -1)
        one = torch.ones(len(cameras), cameras.height, cameras.width, 1)
        return Rendering(color=color, opacity=one, depth=CAMERA.distance * one)

    def coverage(self) -> float:
        return 1.0


def half_filled(views: int = 1) -> Rendering:
    """White at depth 1 on the left, white at depth 2 beside it, nothing on the right half; on white."""
    opacity = torch.zeros(views, 8, 8, 1)
    opacity[:, :, :4] = 1
    depth = opacity.clone()
    depth[:, :, 2:4] = 2
    return Rendering(color=torch.ones(views, 8, 8, 3), opacity=opacity, depth=depth)


def test_evaluation_camera_starts_at_the_front() -> None:
    viewpoints = CAMERA.viewpoints(4)
    assert viewpoints.azimuth.tolist() == [0, 90, 180, 270]
    assert viewpoints.elevation.tolist() == [15] * 4
    assert viewpoints.distance.tolist() == [3] * 4


def test_views_come_in_order_and_without_gradients() -> None:
    parts = list(render_views(Compass(), CAMERA.viewpoints(10), 4))
    colors = torch.cat([part.color for part in parts])
    assert [len(part.color) for part in parts] == [4, 4, 2]
    torch.testing.assert_close(colors[:, 0, 0, 0], torch.arange(10) / 10, rtol=0, atol=1e-5)
    assert not colors.requires_grad


def test_rendering_leaves_the_callers_gradients_on() -> None:
    for _ in render_views(Compass(), CAMERA.viewpoints(5), 4):
        assert torch.is_grad_enabled()


def test_contact_sheet_places_every_view() -> None:
    size = 32
    sheet = np.asarray(contact_sheet(Compass(), prompt="a compass", camera=CAMERA, size=size))
    step = size + GUTTER
    assert sheet.shape == (2 * step + size // 2 + 2 * GUTTER, AZIMUTHS * step + GUTTER, 3)
    for e, elevation in enumerate(ELEVATIONS):
        for a in range(AZIMUTHS):
            top, left = GUTTER + e * step, GUTTER + a * step
            view = sheet[top : top + size, left : left + size]
            expected = (255 * a / AZIMUTHS, 255 * elevation / 90, 0)
            assert np.abs(view - np.array(expected)).max() <= 1
    assert (sheet[:GUTTER] == 255).all()
    assert (sheet[:, GUTTER + size : GUTTER + step] == 255)[: 2 * step].all()


def test_contact_sheet_shows_the_front_in_detail() -> None:
    size = 32
    sheet = np.asarray(contact_sheet(Compass(), prompt="a compass", camera=CAMERA, size=size))
    top, small = GUTTER + 2 * (size + GUTTER), size // 2
    corners = [sheet[top, GUTTER + i * (small + GUTTER)].tolist() for i in range(4)]
    front = [0, round(255 / 9), 0]
    assert corners == [[255] * 3, [255] * 3, front, front]
    caption = sheet[top:, 4 * (small + GUTTER) + GUTTER :]
    assert (caption < 128).any()


@pytest.mark.parametrize("prompt", ["", "a " + "very " * 100 + "long prompt", "un œuf\n\ton two lines", "鸟"])
def test_any_prompt_fits(prompt: str) -> None:
    sheet = np.asarray(contact_sheet(Compass(), prompt=prompt, camera=CAMERA, size=16))
    assert (sheet[:, -GUTTER:] == 255).all()


def test_backgrounds_are_exchanged_exactly() -> None:
    rendering = half_filled()
    opacity, _, black, grey = (np.asarray(picture)[0] for picture in pictures.details(rendering))
    assert opacity[[0, 7]].tolist() == [[255] * 3, [0] * 3]
    assert black[[0, 7]].tolist() == [[255] * 3, [0] * 3]
    assert grey[[0, 7]].tolist() == [[255] * 3, [128] * 3]


def test_depth_is_bright_where_near_and_black_where_empty() -> None:
    shade = pictures.shade_depth(half_filled(2))[1, 0, :, 0]
    torch.testing.assert_close(shade, torch.tensor([1, 1, 0.2, 0.2, 0, 0, 0, 0]))
    empty = Rendering(color=torch.ones(1, 2, 2, 3), opacity=torch.zeros(1, 2, 2, 1), depth=torch.zeros(1, 2, 2, 1))
    assert not pictures.shade_depth(empty).any()


def test_preview_strip() -> None:
    plain = half_filled(2)
    assert preview_strip(plain).size == (3 * 8, 2 * 8)
    bent = Rendering(color=plain.color, opacity=plain.opacity, depth=plain.depth, normals=-torch.ones(2, 8, 8, 3))
    strip = np.asarray(preview_strip(bent))
    assert strip.shape == (16, 32, 3)
    assert strip[0, [0, 8, 16, 24], 0].tolist() == [255, 255, 255, 0]


def test_bytes_are_rounded_and_clamped() -> None:
    assert to_bytes(torch.tensor([-1.0, 0.499 / 255, 0.501 / 255, 1.0, 7.0, math.nan])).tolist() == [
        0,
        0,
        1,
        255,
        255,
        0,
    ]


def test_pictures_are_written_whole(tmp_path: Path) -> None:
    write_picture(tmp_path / "new" / "strip.png", preview_strip(half_filled()))
    with Image.open(tmp_path / "new" / "strip.png") as picture:
        assert picture.size == (24, 8)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["strip.png"]


def frames(count: int = 5, size: int = 15) -> Iterator[np.ndarray]:
    """Plain frames, each of another grey."""
    for i in range(count):
        yield np.full((size, size, 3), 40 * i % 256, dtype=np.uint8)


@pytest.fixture
def no_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "find_ffmpeg", lambda: None)


def fake_ffmpeg(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Puts a program named ffmpeg on the PATH, in front of everything else."""
    program = folder / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


@pytest.mark.usefixtures("no_ffmpeg")
def test_turntable_is_an_endless_animation(tmp_path: Path) -> None:
    assert write_turntable(tmp_path, frames(), frame_rate=20) == [tmp_path / "turntable.webp"]
    with Image.open(tmp_path / "turntable.webp") as moving:
        assert (moving.n_frames, moving.info["loop"], moving.size) == (5, 0, (15, 15))
        moving.seek(3)
        moving.load()
        assert moving.info["duration"] == 50
        assert moving.convert("RGB").getpixel((7, 7)) == pytest.approx((120, 120, 120), abs=3)


@pytest.mark.usefixtures("no_ffmpeg")
def test_a_turntable_needs_frames(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="at least one frame"):
        write_turntable(tmp_path, [])


def test_ffmpeg_gets_every_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ffmpeg(tmp_path, monkeypatch, 'for last; do :; done; cat > "$last"; echo "$@" > "$(dirname "$0")/arguments"')
    written = write_turntable(tmp_path, frames(), frame_rate=20)
    assert [path.name for path in written] == ["turntable.webp", "turntable.mp4"]
    assert written[1].read_bytes() == b"".join(frame.tobytes() for frame in frames())
    assert "-pix_fmt rgb24 -s 15x15 -r 20" in (tmp_path / "bin" / "arguments").read_text()


@pytest.mark.parametrize("body", ["exit 1", "cat > /dev/null; echo unknown encoder >&2; exit 1"])
def test_a_failing_ffmpeg_does_not_lose_the_animation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, body: str
) -> None:
    fake_ffmpeg(tmp_path, monkeypatch, body)
    assert write_turntable(tmp_path, frames(200, 64)) == [tmp_path / "turntable.webp"]
    assert "ffmpeg could not write" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "turntable.webp"]
