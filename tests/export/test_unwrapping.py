"""Texture coordinates that every reader can use, whatever xatlas does."""

import logging
from pathlib import Path

import pytest
import torch
from mesh_scenes import uv_sphere

from lodestone.export.unwrapping import MOST_OVERLAP, cell_atlas, overlap, unwrap
from lodestone.export.visibility import cover_texture
from lodestone.rendering.samples import TriangleMesh

BALL = TriangleMesh(**dict(zip(("vertices", "faces"), uv_sphere(12, 20), strict=True)))

SLOW = "import time\ntime.sleep(60)\n"
CRASH = "raise RuntimeError('chart 7 is bad')\n"
GARBAGE = "print('no tensors here')\n"
FOLDED = """
import sys
from safetensors.numpy import load, save
given = load(sys.stdin.buffer.read())
import numpy as np
count = len(given["vertices"])
uv = np.zeros((count, 2), np.float32) + np.linspace(0, 1, count, dtype=np.float32)[:, None]
uv[::2, 0] = 0.0
answer = {"source": np.arange(len(uv)), "faces": given["faces"], "uv": uv}
sys.stdout.buffer.write(save(answer))
"""


def check(unwrapped, mesh, size):
    """Within the texture, nothing overlaps, and every face is still itself."""
    assert bool(((unwrapped.uv >= 0) & (unwrapped.uv <= 1)).all())
    assert torch.equal(unwrapped.source[unwrapped.faces], mesh.faces)
    assert overlap(unwrapped.uv, unwrapped.faces, size) <= MOST_OVERLAP


def test_charts_of_xatlas(caplog):
    caplog.set_level(logging.WARNING)
    unwrapped = unwrap(BALL, size=256, seconds=100.0)
    assert unwrapped.method == "xatlas" and not caplog.records
    check(unwrapped, BALL, 256)
    covered = (cover_texture(unwrapped.uv, unwrapped.faces, 256).triangle >= 0).float().mean()
    assert covered > 0.4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SLOW, "did not finish within"),
        (CRASH, "chart 7 is bad"),
        (GARBAGE, "did not succeed"),
        (FOLDED, "single faces"),
    ],
)
def test_cells_take_over(tmp_path: Path, caplog, text, said):
    program = tmp_path / "broken.py"
    program.write_text(text)
    caplog.set_level(logging.WARNING)
    unwrapped = unwrap(BALL, size=256, seconds=1.0 if text is SLOW else 100.0, program=program)
    assert unwrapped.method == "cells" and said in caplog.text
    check(unwrapped, BALL, 256)


@pytest.mark.parametrize(("count", "size"), [(1, 64), (2, 64), (7, 64), (2000, 256), (5000, 128)])
def test_cells_are_apart(count, size):
    faces = torch.arange(3 * count).view(-1, 3)
    atlas = cell_atlas(faces, size=size)
    corners = atlas.uv[atlas.faces]
    assert bool(((corners >= 0) & (corners <= 1)).all())
    a, b, c = (corner.double() for corner in corners.unbind(dim=1))
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).abs()
    assert bool((area > 0).all())
    assert area.sum() < 1
    # A pair lies in one cell, on either side of its diagonal.
    lower, upper = corners[0::2], corners[1::2]
    for lesser, greater in zip(lower[:50], upper[:50], strict=False):
        corner = torch.minimum(lesser.amin(dim=0), greater.amin(dim=0))
        assert (lesser - corner).sum(dim=-1).amax() < (greater - corner).sum(dim=-1).amin()


def test_every_face_of_the_cells_has_texels():
    faces = torch.arange(300).view(-1, 3)
    atlas = cell_atlas(faces, size=64)
    seen = cover_texture(atlas.uv, atlas.faces, 64).triangle
    assert set(seen.unique().tolist()) - {-1} == set(range(100))


def test_charts_on_top_of_each_other_are_noticed():
    uv = torch.tensor([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]])
    apart = torch.tensor([[0, 1, 2], [3, 2, 1]])
    assert abs(overlap(uv, apart, 128)) < 0.01
    assert overlap(uv, torch.tensor([[0, 1, 2], [0, 1, 3]]), 128) > 0.3
