"""What is wrong with a mesh is made right, and what is right stays."""

import math

import pytest
import torch
from mesh_scenes import uv_sphere

from lodestone.errors import SettingError
from lodestone.export.mesh_cleaning import (
    clean,
    decimate,
    face_areas,
    is_closed,
    keep_components,
    signed_volume,
)
from lodestone.rendering.samples import TriangleMesh

BALL = TriangleMesh(**dict(zip(("vertices", "faces"), uv_sphere(), strict=True)))


def together(*meshes):
    """One mesh of several."""
    offsets = [0, *torch.tensor([len(mesh.vertices) for mesh in meshes]).cumsum(0).tolist()]
    faces = [mesh.faces + offset for mesh, offset in zip(meshes, offsets[:-1], strict=True)]
    return TriangleMesh(vertices=torch.cat([mesh.vertices for mesh in meshes]), faces=torch.cat(faces))


def moved(mesh, scale, shift=0.0, flip=False):
    return TriangleMesh(vertices=mesh.vertices * scale + shift, faces=mesh.faces.flip(-1) if flip else mesh.faces)


def test_area_and_volume_of_a_ball():
    assert face_areas(BALL).sum().item() == pytest.approx(4 * math.pi * 0.36, rel=0.01)
    assert signed_volume(BALL) == pytest.approx(4 / 3 * math.pi * 0.216, rel=0.02)
    assert signed_volume(moved(BALL, 1.0, 5.0)) == pytest.approx(signed_volume(BALL), rel=1e-4)


def test_a_good_mesh_is_left_alone():
    mesh = keep_components(clean(BALL), share=0.01)
    assert torch.equal(mesh.vertices, BALL.vertices) and torch.equal(mesh.faces, BALL.faces)


def test_bad_numbers_and_faces_go():
    vertices = torch.cat([BALL.vertices, torch.full((1, 3), torch.nan), torch.tensor([[9.0, 9.0, 9.0]])])
    n = len(BALL.vertices)
    bad = torch.tensor([[0, 1, n], [0, 1, 99999], [0, 1, -1], [3, 3, 4]])
    mesh = clean(TriangleMesh(vertices=vertices, faces=torch.cat([bad, BALL.faces, BALL.faces[:2]])))
    assert torch.equal(mesh.vertices, BALL.vertices) and is_closed(mesh)
    assert len(mesh.faces) == len(BALL.faces)


def test_a_fold_goes_whole():
    fold = torch.tensor([[0, 5, 9], [9, 5, 0]])
    mesh = clean(TriangleMesh(vertices=BALL.vertices, faces=torch.cat([BALL.faces, fold])))
    assert torch.equal(mesh.faces, BALL.faces)


def test_double_vertices_are_welded():
    soup = TriangleMesh(
        vertices=BALL.vertices[BALL.faces].flatten(0, 1), faces=torch.arange(3 * len(BALL.faces)).view(-1, 3)
    )
    assert not is_closed(soup)
    mesh = clean(soup)
    assert is_closed(mesh) and len(mesh.vertices) == len(BALL.vertices)


@pytest.mark.parametrize(
    "mesh",
    [
        TriangleMesh(vertices=torch.zeros(0, 3), faces=torch.zeros(0, 3, dtype=torch.long)),
        TriangleMesh(vertices=torch.full((3, 3), torch.nan), faces=torch.tensor([[0, 1, 2]])),
        TriangleMesh(vertices=torch.ones(3, 3), faces=torch.tensor([[0, 1, 2]])),
    ],
)
def test_no_usable_face_is_refused(mesh):
    with pytest.raises(SettingError, match="nothing to export"):
        clean(mesh)


def test_crumbs_and_cavities_go_and_big_pieces_stay():
    big, crumb = moved(BALL, 0.5, 2.0), moved(BALL, 0.02, -2.0)
    cavity = moved(BALL, 0.6, flip=True)
    mesh = keep_components(together(BALL, crumb, cavity, big), share=0.01)
    assert len(mesh.faces) == 2 * len(BALL.faces)
    expected = signed_volume(BALL) * (1 + 0.5**3)
    assert signed_volume(mesh) == pytest.approx(expected, rel=1e-3)


def test_inside_out_is_turned():
    mesh = keep_components(together(moved(BALL, 1.0, flip=True), moved(BALL, 0.5)), share=0.01)
    assert signed_volume(mesh) == pytest.approx(signed_volume(BALL), rel=1e-4)


def test_an_open_mesh_stays_open():
    half = TriangleMesh(vertices=BALL.vertices, faces=BALL.faces[:500].flip(-1))
    mesh = keep_components(clean(half), share=0.01)
    assert len(mesh.faces) == 500 and not is_closed(mesh)


def test_decimation_keeps_the_shape():
    mesh = decimate(BALL, faces=800, seconds=60.0)
    assert len(mesh.faces) <= 800 and is_closed(mesh)
    assert signed_volume(mesh) == pytest.approx(signed_volume(BALL), rel=0.02)
    assert decimate(mesh, faces=800, seconds=60.0) is mesh


def test_decimation_that_takes_too_long_is_a_sentence():
    with pytest.raises(SettingError, match="choose a coarser grid"):
        decimate(BALL, faces=800, seconds=0.01)


@pytest.mark.slow
def test_a_million_faces():
    vertices, faces = uv_sphere(rows=708, columns=708)
    mesh = decimate(clean(TriangleMesh(vertices=vertices, faces=faces)), faces=20_000, seconds=120.0)
    assert 15_000 < len(mesh.faces) <= 20_000
    assert signed_volume(mesh) == pytest.approx(4 / 3 * math.pi * 0.216, rel=0.02)
