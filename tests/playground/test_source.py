"""Whatever file is named as the picture of an edit, it becomes a square picture or costs one sentence."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from lodestone.errors import SettingError
from lodestone.playground.source import read_picture


def saved(path, picture, **settings):
    picture.save(path, **settings)
    return path


def test_a_picture_of_the_right_size_is_read_as_it_is(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    read = read_picture(saved(tmp_path / "a.png", Image.fromarray(values)), 8)
    assert torch.equal(read, torch.from_numpy(values).permute(2, 0, 1)[None].float() / 255)


def test_what_is_transparent_becomes_white(tmp_path):
    read = read_picture(saved(tmp_path / "a.png", Image.new("RGBA", (4, 4), (255, 0, 0, 0))), 4)
    assert (read == 1).all()


def test_half_transparent_red_is_pink(tmp_path):
    read = read_picture(saved(tmp_path / "a.png", Image.new("RGBA", (4, 4), (255, 0, 0, 128))), 4)
    assert torch.allclose(read[0, :, 0, 0], torch.tensor([255, 127, 127]) / 255)


def test_16_bit_greys_keep_their_range(tmp_path):
    values = np.full((4, 4), 0x8000, dtype=np.uint16)
    read = read_picture(saved(tmp_path / "a.png", Image.fromarray(values)), 4)
    assert torch.allclose(read, torch.tensor(128 / 255))


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    red, blue = (Image.new("RGB", (4, 4), color) for color in ("red", "blue"))
    path = saved(tmp_path / "a.gif", red, save_all=True, append_images=[blue])
    assert torch.equal(read_picture(path, 4)[0, :, 0, 0], torch.tensor([1.0, 0.0, 0.0]))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "CMYK", "I", "F"])
def test_every_mode_of_white_is_white(tmp_path, mode):
    white = {"1": 1, "I": 255, "F": 255.0, "CMYK": (0, 0, 0, 0)}.get(mode, "white")
    suffix = ".tiff" if mode in ("CMYK", "F", "I") else ".png"
    assert (read_picture(saved(tmp_path / f"a{suffix}", Image.new(mode, (4, 4), white)), 4) == 1).all()


def test_one_pixel_is_a_picture_of_one_colour(tmp_path):
    read = read_picture(saved(tmp_path / "a.png", Image.new("RGB", (1, 1), "red")), 16)
    assert read.shape == (1, 3, 16, 16) and (read[:, 0] == 1).all() and not read[:, 1:].any()


def test_the_central_square_of_a_wide_picture_is_taken(tmp_path):
    wide = Image.new("RGB", (24, 8), "red")
    wide.paste("blue", (8, 0, 16, 8))
    assert torch.equal(read_picture(saved(tmp_path / "a.png", wide), 8)[0, 2], torch.ones(8, 8))


def test_a_photograph_is_turned_upright(tmp_path):
    lying = Image.new("RGB", (8, 8), "white")
    lying.paste("black", (0, 0, 8, 4))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    read = read_picture(saved(tmp_path / "a.png", lying, exif=exif), 8)
    assert (read[0, :, :4] == 1).all() and not read[0, :, 4:].any()


def broken(tmp_path):
    """Files that are no pictures, by what is wrong with them."""
    whole = saved(tmp_path / "whole.png", Image.effect_noise((64, 64), 50)).read_bytes()
    contents = {"text": b"just words\n", "empty": b"", "cut": whole[: len(whole) // 2], "headless": whole[8:]}
    contents["other checksum"] = whole[:20] + b"\xff" + whole[21:]
    for name, content in contents.items():
        (tmp_path / f"{name}.png").write_bytes(content)
    return [*contents, "folder"]


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "folder.png").mkdir()
    for name in broken(tmp_path):
        with pytest.raises(SettingError, match="cannot be read as a picture") as refusal:
            read_picture(tmp_path / f"{name}.png", 8)
        assert str(refusal.value).endswith("give a picture such as a PNG, JPEG or WebP file")


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(SettingError, match=r"there is no picture .*absent\.png: check its name"):
        read_picture(tmp_path / "absent.png", 8)


def chunk(kind, content):
    """A part of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("side", [9_000, 20_000, 2**31 - 1])
def test_a_huge_picture_is_refused_before_it_is_unpacked(tmp_path, side):
    """The file says how large it is and holds nothing."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    with pytest.raises(SettingError, match=r"has \d+ pixels: make it smaller|exceeds limit"):
        read_picture(tmp_path / "a.png", 8)
