"""What is written is what other libraries read, and it stands upright."""

import io
import json
import struct

import numpy as np
import pytest
import torch
import trimesh
from mesh_scenes import uv_sphere
from PIL import Image

from lodestone.errors import SettingError
from lodestone.export.mesh_files import from_mesh_frame, read_mesh, smooth_normals, to_mesh_frame, write_glb, write_obj
from lodestone.export.unwrapping import cell_atlas
from lodestone.scenes.surface import TexturedMesh


def ball(size=64):
    vertices, faces = uv_sphere(8, 12)
    atlas = cell_atlas(faces, size=size)
    texture = torch.randint(0, 256, (size, size, 3), generator=torch.Generator().manual_seed(0)) / 255
    return TexturedMesh(vertices=vertices[atlas.source], faces=atlas.faces, uv=atlas.uv, texture=texture)


BOXES = (
    ((0.0, 0.0, 0.0), (0.8, 0.05, 0.05), (1.0, 0.0, 0.0)),  # the shaft, from back to front
    ((0.8, 0.0, 0.0), (0.1, 0.2, 0.05), (1.0, 0.0, 0.0)),  # the head, in front
    ((0.0, 0.0, 0.4), (0.05, 0.05, 0.1), (0.0, 1.0, 0.0)),  # the upper side
    ((0.0, 0.3, 0.0), (0.05, 0.1, 0.05), (0.0, 0.0, 1.0)),  # the left side
)


def arrow():
    """The golden arrow as boxes: front +x, left +y, up +z; each colour is one texel of a row of four."""
    vertices, faces, uv = [], [], []
    for index, (centre, half, _) in enumerate(BOXES):
        box = trimesh.creation.box()
        faces.append(torch.from_numpy(np.array(box.faces)) + 8 * index)
        vertices.append(
            torch.from_numpy(np.array(box.vertices)).float() * 2 * torch.tensor(half) + torch.tensor(centre)
        )
        uv.append(torch.tensor([[(index + 0.5) / 4, 0.5]]).expand(8, 2))
    texture = torch.tensor([[color for _, _, color in BOXES]])
    return TexturedMesh(vertices=torch.cat(vertices), faces=torch.cat(faces), uv=torch.cat(uv), texture=texture)


def write(path, mesh):
    """Writes in the format of the suffix."""
    if path.suffix == ".glb":
        write_glb(path, mesh)
    else:
        write_obj(path, mesh)


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_round_trip(tmp_path, suffix):
    mesh = ball()
    write(tmp_path / f"ball{suffix}", mesh)
    back = read_mesh(tmp_path / f"ball{suffix}")
    torch.testing.assert_close(back.vertices[back.faces], mesh.vertices[mesh.faces], rtol=0, atol=0)
    torch.testing.assert_close(back.uv[back.faces], mesh.uv[mesh.faces], rtol=0, atol=1e-6)
    torch.testing.assert_close(back.texture, mesh.texture, rtol=0, atol=1e-6)
    assert len(back.faces) == len(mesh.faces)


def test_a_glb_is_read_back_vertex_by_vertex(tmp_path):
    mesh = ball()
    write_glb(tmp_path / "ball.glb", mesh)
    back = read_mesh(tmp_path / "ball.glb")
    assert torch.equal(back.faces, mesh.faces) and torch.equal(back.vertices, mesh.vertices)


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_the_arrow_stands_upright(tmp_path, suffix):
    write(tmp_path / f"arrow{suffix}", arrow())
    loaded = trimesh.load(tmp_path / f"arrow{suffix}", force="mesh", process=False)
    image = loaded.visual.material.image if suffix == ".obj" else loaded.visual.material.baseColorTexture
    column = (loaded.visual.uv[:, 0] * image.width).astype(int)
    colors = np.asarray(image.convert("RGB"))[0, column]
    places = {
        tuple(color): loaded.vertices[(colors == color).all(axis=1)].mean(axis=0) for color in np.unique(colors, axis=0)
    }
    red = loaded.vertices[(colors == (255, 0, 0)).all(axis=1)]
    assert red[:, 2].max() == pytest.approx(0.9)  # the front is +z
    assert places[(0, 255, 0)] == pytest.approx((0, 0.4, 0), abs=1e-6)  # up is +y
    assert places[(0, 0, 255)] == pytest.approx((0.3, 0, 0), abs=1e-6)  # its left is +x, our right as it faces us
    assert loaded.volume > 0


def test_the_frame_is_a_rotation():
    axes = to_mesh_frame(torch.eye(3)).T
    assert torch.det(axes).item() == pytest.approx(1)
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(from_mesh_frame(to_mesh_frame(points)), points)


def test_the_same_mesh_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_glb(tmp_path / name / "ball.glb", ball())
        write_obj(tmp_path / name / "ball.obj", ball())
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_layout_of_the_glb(tmp_path):
    write_glb(tmp_path / "ball.glb", ball())
    contents = (tmp_path / "ball.glb").read_bytes()
    magic, version, length, json_length, kind = struct.unpack("<4sIII4s", contents[:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(contents), b"JSON")
    document = json.loads(contents[20 : 20 + json_length])
    assert document["asset"]["version"] == "2.0"
    (material,) = document["materials"]
    assert material["pbrMetallicRoughness"]["metallicFactor"] == 0
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    begin = 28 + json_length + view["byteOffset"]
    with Image.open(io.BytesIO(contents[begin : begin + view["byteLength"]])) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (64, 64))
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])


def test_names_in_the_obj_are_relative(tmp_path):
    paths = write_obj(tmp_path / "ball.obj", ball())
    assert [path.name for path in paths] == ["ball.obj", "ball.mtl", "ball.png"]
    assert "mtllib ball.mtl" in paths[0].read_text() and "map_Kd ball.png" in paths[1].read_text()
    assert str(tmp_path) not in paths[0].read_text() + paths[1].read_text()


def test_normals_are_smooth_across_seams():
    mesh = ball()
    normals = smooth_normals(mesh)
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(len(normals)))
    assert (normals * mesh.vertices / 0.6).sum(dim=-1).min() > 0.95


@pytest.mark.parametrize("name", ["nothing.glb", "broken.glb", "plain.obj"])
def test_unreadable_files_are_a_sentence(tmp_path, name):
    (tmp_path / "broken.glb").write_bytes(b"glTF but no more")
    (tmp_path / "plain.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(SettingError, match="cannot be read as a textured mesh"):
        read_mesh(tmp_path / name)


def test_an_unwritable_folder_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="cannot write"):
        write_glb(tmp_path / "file" / "ball.glb", ball())
