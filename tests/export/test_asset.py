"""A scene and what is written of it."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_arrow import arrow, random_gaussians
from PIL import Image
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.export import pictures
from lodestone.export.asset import SplatFormat, gaussians_of, render_frames, write_asset, write_splats
from lodestone.export.pictures import GUTTER
from lodestone.export.ply import read_ply
from lodestone.export.splat_file import read_splat
from lodestone.rendering.cameras import Cameras, EvaluationCamera
from lodestone.scenes.gaussians import GaussianScene, RawGaussians
from lodestone.scenes.scene import AbstractScene, Rendering

CAMERA = EvaluationCamera(distance=4.0, field_of_view=40.0)


def views(raw: RawGaussians) -> torch.Tensor:
    """Five views of 48 pixels, in [0, 1]."""
    frames = list(render_frames(GaussianScene(raw), 5, 48, camera=CAMERA))
    return torch.from_numpy(np.stack(frames)).float() / 255


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    """Peak signal-to-noise ratio in dB."""
    return -10 * math.log10(max((one - other).square().mean().item(), 1e-12))


def test_the_ply_shows_what_the_scene_shows(tmp_path: Path) -> None:
    raw = random_gaussians(300)
    path = write_splats(tmp_path, raw, SplatFormat.PLY)
    assert path == tmp_path / "splats.ply"
    assert psnr(views(read_ply(path)), views(raw)) >= 60


def test_the_splat_shows_what_the_scene_shows(tmp_path: Path) -> None:
    raw = random_gaussians(300)
    path = write_splats(tmp_path, raw, SplatFormat.SPLAT)
    assert path == tmp_path / "splats.splat"
    assert psnr(views(read_splat(path)), views(raw)) >= 40


def test_what_is_too_faint_to_be_written_is_not_missed(tmp_path: Path) -> None:
    raw = random_gaussians(300)
    raw.opacity_logits[::2] -= 10
    path = write_splats(tmp_path, raw, SplatFormat.PLY)
    assert len(read_ply(path)) < 160
    assert psnr(views(read_ply(path)), views(raw)) >= 40


def test_the_arrow_looks_right_from_the_front_and_the_side() -> None:
    front, left = (view for i, view in enumerate(views_of_arrow()) if i in (0, 1))
    # from the front the left side of the object is on the right, and green is up
    assert column_of(front, 2) > 24 + 2
    assert row_of(front, 1) < 24 - 2
    # from its left side, the object's front is on the left
    assert column_of(left, 0) < 24 - 2


def views_of_arrow() -> torch.Tensor:
    """Four views from the height of the arrow."""
    camera = EvaluationCamera(distance=4.0, field_of_view=40.0, elevation=0.0)
    frames = list(render_frames(GaussianScene(arrow()), 4, 48, camera=camera))
    return torch.from_numpy(np.stack(frames)).float() / 255


def strength(view: torch.Tensor, channel: int) -> torch.Tensor:
    """How much a pixel has of one colour alone."""
    others = [c for c in range(3) if c != channel]
    return (view[..., channel] - view[..., others].amax(dim=-1)).clamp(min=0)


def column_of(view: torch.Tensor, channel: int) -> float:
    """Centre of a colour, in pixels from the left."""
    weight = strength(view, channel).sum(dim=0)
    return ((weight * torch.arange(len(weight))).sum() / weight.sum()).item()


def row_of(view: torch.Tensor, channel: int) -> float:
    """Centre of a colour, in pixels from the top."""
    weight = strength(view, channel).sum(dim=1)
    return ((weight * torch.arange(len(weight))).sum() / weight.sum()).item()


def test_asset_holds_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "find_ffmpeg", lambda: None)
    scene, formats = GaussianScene(arrow()), (SplatFormat.PLY, SplatFormat.SPLAT)
    written = write_asset(
        tmp_path / "asset", scene, prompt="an arrow", formats=formats, camera=CAMERA, frames=6, size=32
    )
    assert [path.name for path in written] == ["splats.ply", "splats.splat", "views.png", "turntable.webp"]
    assert sorted(written) == sorted((tmp_path / "asset").iterdir())
    with Image.open(written[3]) as moving:
        assert (moving.n_frames, moving.size) == (6, (32, 32))
    with Image.open(written[2]) as sheet:
        assert sheet.width == 8 * (32 + GUTTER) + GUTTER
    assert torch.equal(read_ply(written[0]).means, arrow().means)


def test_a_scene_without_gaussians_is_refused_by_name() -> None:
    class Other(AbstractScene):
        def render(self, cameras: Cameras, background: Tensor, rng: torch.Generator | None = None) -> Rendering:
            raise NotImplementedError

        def coverage(self) -> float:
            return 0.0

    with pytest.raises(SettingError, match="format splat holds Gaussians only"):
        gaussians_of(Other(), SplatFormat.SPLAT)


def test_an_invisible_scene_writes_nothing(tmp_path: Path) -> None:
    raw = arrow()
    raw.opacity_logits.fill_(-30)
    with pytest.raises(SettingError, match="nothing to export"):
        write_asset(tmp_path, GaussianScene(raw), prompt="", formats=[SplatFormat.PLY], camera=CAMERA)
    assert list(tmp_path.iterdir()) == []
