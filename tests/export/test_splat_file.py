"""The .splat file."""

import struct
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from golden_arrow import arrow, covariances, random_gaussians

from lodestone.errors import SettingError
from lodestone.export.frames import to_file_frame
from lodestone.export.pruning import select
from lodestone.export.splat_file import by_importance, read_splat, write_splat
from lodestone.scenes.gaussians import C0, RawGaussians


def test_bytes_field_by_field(tmp_path: Path) -> None:
    raw = RawGaussians(
        means=torch.tensor([[1.0, 2.0, 3.0]]),
        log_scales=torch.tensor([[0.1, 0.2, 0.4]]).log(),
        quaternions=torch.tensor([[2.0, 0.0, 2.0, 0.0]]),  # 90 degrees about y, of any length
        opacity_logits=torch.tensor([0.0]),
        colors=(torch.tensor([[1.5, 0.4, -1.0]]) - 0.5) / C0,
    )
    write_splat(tmp_path / "one.splat", raw)
    contents = (tmp_path / "one.splat").read_bytes()
    assert len(contents) == 32
    x, y, z, width, height, depth, *rest = struct.unpack("<6f8B", contents)
    assert (x, y, z) == (-2, -3, 1)
    assert (width, height, depth) == pytest.approx((0.2, 0.4, 0.1))
    half = round(128 * 0.5**0.5)
    assert rest == [255, 102, 0, 128, 128 + half, 128 - half, 128, 128]


def test_importance_falls_along_the_file(tmp_path: Path) -> None:
    raw = random_gaussians(100)
    write_splat(tmp_path / "cloud.splat", raw)
    back = read_splat(tmp_path / "cloud.splat")
    importance = back.scales.prod(dim=-1) * back.opacities
    # opacities lie half a step of 8 bits off, so neighbours may change places in what is read
    assert bool((importance[1:] <= importance[:-1] * 1.05).all())
    assert torch.equal(back.means, raw.means[by_importance(raw)])


def test_round_trip_within_quantisation(tmp_path: Path) -> None:
    raw = random_gaussians(100)
    raw = select(raw, by_importance(raw))
    write_splat(tmp_path / "cloud.splat", raw)
    back = read_splat(tmp_path / "cloud.splat")
    assert torch.equal(back.means, raw.means)
    torch.testing.assert_close(back.log_scales, raw.log_scales)
    torch.testing.assert_close(back.opacities, raw.opacities, rtol=0, atol=0.51 / 255)
    torch.testing.assert_close(back.rgb, raw.rgb.clamp(0, 1), rtol=0, atol=0.51 / 255)
    unit = torch.nn.functional.normalize(raw.quaternions, dim=-1)
    torch.testing.assert_close(back.quaternions, unit.clamp(max=127 / 128), rtol=0, atol=0.51 / 128)
    largest = covariances(raw).abs().amax()
    torch.testing.assert_close(covariances(back), covariances(raw), rtol=0, atol=0.03 * largest.item())


def test_extreme_opacities_stay_finite(tmp_path: Path) -> None:
    write_splat(tmp_path / "cloud.splat", replace(arrow(), opacity_logits=torch.tensor([40.0, -5.5, 40.0, 40.0])))
    assert bool(read_splat(tmp_path / "cloud.splat").opacity_logits.isfinite().all())


def test_the_arrow_stands_upright_in_the_file(tmp_path: Path) -> None:
    write_splat(tmp_path / "arrow.splat", arrow())
    contents = (tmp_path / "arrow.splat").read_bytes()
    parts = [struct.unpack("<6f8B", contents[i : i + 32]) for i in range(0, len(contents), 32)]
    places = {part[6:9]: part[:3] for part in parts if part[:3] != (0, 0, 0)}
    assert places[(0, 255, 0)] == pytest.approx((0, -0.4, 0))  # up is -y
    assert places[(0, 0, 255)] == pytest.approx((-0.3, 0, 0))
    assert places[(255, 0, 0)] == pytest.approx((0, 0, 0.8))  # the front is +z
    shaft = next(part for part in parts if part[:3] == (0, 0, 0))
    assert shaft[3:6] == pytest.approx((0.05, 0.05, 0.5))


def test_the_arrow_comes_back(tmp_path: Path) -> None:
    write_splat(tmp_path / "arrow.splat", arrow())
    back, written = read_splat(tmp_path / "arrow.splat"), select(arrow(), by_importance(arrow()))
    for field in fields(back):
        tolerance = 0.02 if field.name in {"opacity_logits", "quaternions"} else 1e-2
        expected = getattr(written, field.name)
        if field.name == "opacity_logits":
            back_value, expected, tolerance = back.opacities, written.opacities, 0.51 / 255
        else:
            back_value = getattr(back, field.name)
        torch.testing.assert_close(back_value, expected, rtol=0, atol=tolerance)


def test_order_does_not_depend_on_the_frame() -> None:
    raw = random_gaussians(50)
    assert torch.equal(by_importance(raw), by_importance(to_file_frame(raw)))


@pytest.mark.parametrize("length", [0, 1, 31, 33, 3199])
def test_truncated_files_are_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cloud.splat"
    write_splat(path, random_gaussians(100))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(SettingError, match=r"truncated or not a \.splat file"):
        read_splat(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ones.splat").write_bytes(b"\xff" * 64)
    with pytest.raises(SettingError, match=r"is not a \.splat file"):
        read_splat(tmp_path / "ones.splat")


def test_missing_file() -> None:
    with pytest.raises(SettingError, match="cannot read the splat file"):
        read_splat(Path("nowhere.splat"))
