"""From a scene to files, and back to pictures."""

import json
import sys

import pytest
import torch
from mesh_scenes import BOUND, Body, cube, rainbow, sphere, torus, uv_sphere

from lodestone.errors import SettingError
from lodestone.export import isosurface
from lodestone.export import mesh as mesh_module
from lodestone.export.agreement import compare, render_mesh
from lodestone.export.mesh import MeshFormat, write_mesh
from lodestone.export.mesh_files import read_mesh, write_glb
from lodestone.export.unwrapping import cell_atlas
from lodestone.rendering.cameras import EvaluationCamera
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.gaussians import C0, GaussianScene, RawGaussians
from lodestone.scenes.surface import ColoredMesh, TexturedMesh, Volume

CAMERA = EvaluationCamera(elevation=15.0, distance=3.0, field_of_view=40.0)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A coarse grid and small pictures: the tests look at everything but resolution."""
    monkeypatch.setattr(mesh_module, "CELLS", 56)
    monkeypatch.setattr(mesh_module, "PICTURE", 192)
    monkeypatch.setattr(isosurface, "PICTURE", 128)


def blob(count=600, opacity=0.9):
    """A ball of opaque overlapping Gaussians with the rainbow's colours."""
    rng = torch.Generator().manual_seed(0)
    direction = torch.nn.functional.normalize(torch.randn(count, 3, generator=rng), dim=-1)
    means = direction * 0.5 * torch.rand(count, 1, generator=rng) ** 0.3
    return RawGaussians(
        means=means,
        log_scales=torch.full((count, 3), 0.06).log(),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(count, 1),
        opacity_logits=torch.logit(torch.full((count,), opacity)),
        colors=(rainbow(means) - 0.5) / C0,
    )


def report(folder, name="mesh"):
    return json.loads((folder / f"{name}.json").read_text())


def export(folder, scene, **changed):
    settings = {"faces": 3000, "texture_size": 256, "camera": CAMERA, **changed}
    return write_mesh(folder, scene, **settings)


def test_gaussians_look_the_same_as_a_mesh(tmp_path):
    written = export(tmp_path, GaussianScene(blob()), formats=(MeshFormat.GLB, MeshFormat.OBJ))
    assert [path.name for path in written] == ["mesh.glb", "mesh.obj", "mesh.mtl", "mesh.png", "mesh.json"]
    described = report(tmp_path)
    assert described["faces"] <= 3000 and described["watertight"] and described["volume"] > 0
    for file in ("mesh.glb", "mesh.obj"):
        assert described["agreement"][file]["psnr"] >= 25
        assert described["agreement"][file]["silhouette_iou"] >= 0.95


@pytest.mark.parametrize("body", [sphere, cube, torus])
def test_fields_with_a_colour(tmp_path, body):
    export(tmp_path, Body(body, exact=True, color=rainbow), faces=5000)
    described = report(tmp_path)["agreement"]["mesh.glb"]
    assert described["psnr"] >= 25 and described["silhouette_iou"] >= 0.97
    assert report(tmp_path)["watertight"]


def test_a_mesh_that_a_scene_holds(tmp_path):
    class Held(Body):
        def surface(self):
            return ColoredMesh(mesh=self.mesh)

    export(tmp_path, Held(sphere, exact=True))
    assert report(tmp_path)["agreement"]["mesh.glb"]["psnr"] >= 25


def test_a_textured_mesh_is_written_as_it_is(tmp_path):
    vertices, faces = uv_sphere(16, 24)
    atlas = cell_atlas(faces, size=128)
    held = TexturedMesh(
        vertices=vertices[atlas.source], faces=atlas.faces, uv=atlas.uv, texture=torch.full((128, 128, 3), 0.2)
    )

    class Held(Body):
        def surface(self):
            return held

    export(tmp_path, Held(sphere, exact=True), faces=100)
    back = read_mesh(tmp_path / "mesh.glb")
    assert torch.equal(back.faces, held.faces) and torch.equal(back.vertices, held.vertices)


def test_a_mesh_inside_out_or_elsewhere_does_not_agree(tmp_path):
    scene = Body(sphere, exact=True)
    export(tmp_path, scene)
    mesh = read_mesh(tmp_path / "mesh.glb")
    moved = TexturedMesh(
        vertices=mesh.vertices[:, [0, 2, 1]] + 0.3, faces=mesh.faces, uv=mesh.uv, texture=1 - mesh.texture
    )
    write_glb(tmp_path / "moved.glb", moved)
    agreement = compare(tmp_path / "moved.glb", scene, camera=CAMERA, size=64)
    assert agreement.psnr < 12 and agreement.silhouette_iou < 0.7
    assert "silhouette IoU" in str(agreement)


def test_a_mesh_is_rendered_where_it_is():
    vertices, faces = uv_sphere()
    mesh = TexturedMesh(vertices=vertices, faces=faces, uv=torch.zeros(len(vertices), 2), texture=torch.zeros(4, 4, 3))
    pictures = render_mesh(mesh, CAMERA.viewpoints(2).cameras(64, 64))
    area = pictures.coverage.sum(dim=(1, 2, 3))
    # The outline of a ball of radius r at distance d is a circle of radius f r / sqrt(d^2 - r^2).
    radius = 32 / torch.tensor(20.0).deg2rad().tan() * 0.6 / (9 - 0.36) ** 0.5
    torch.testing.assert_close(area, (torch.pi * radius**2).expand(2), rtol=0.02, atol=0)
    torch.testing.assert_close(pictures.color[..., 0], 1 - pictures.coverage[..., 0])


def test_scenes_without_surface_are_refused(tmp_path):
    class Flat(Body):
        def surface(self):
            return super(Body, self).surface()

    with pytest.raises(SettingError, match="has no surface"):
        export(tmp_path, Flat(sphere, exact=True))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opacity", [1e-4, 0.005])
def test_what_nobody_sees_is_refused(tmp_path, opacity):
    with pytest.raises(SettingError, match=r"is visible|nothing of the scene is opaque"):
        export(tmp_path, GaussianScene(blob(count=3, opacity=opacity)))
    assert list(tmp_path.iterdir()) == []


def test_an_untrained_field_is_refused(tmp_path):
    class Empty(Body):
        def render(self, cameras, background, rng=None):
            seen = super().render(cameras, background)
            return type(seen)(color=torch.ones_like(seen.color), opacity=0 * seen.opacity, depth=0 * seen.depth)

        def surface(self):
            corner = torch.full((3,), BOUND)
            return Volume(density=lambda p: 0 * p[:, 0], low=-corner, high=corner)

    with pytest.raises(SettingError, match="nothing of the scene is opaque"):
        export(tmp_path, Empty(sphere, exact=True))


def test_an_exact_surface_that_is_nowhere_is_refused(tmp_path):
    with pytest.raises(SettingError, match="nothing of the scene is opaque"):
        export(tmp_path, Body(lambda points: points.norm(dim=-1) + 1.0, exact=True, mesh=sphere))


def test_a_mesh_without_numbers_is_refused(tmp_path):
    class Broken(Body):
        def surface(self):
            return ColoredMesh(
                mesh=TriangleMesh(vertices=torch.full((3, 3), torch.nan), faces=torch.tensor([[0, 1, 2]]))
            )

    with pytest.raises(SettingError, match="no usable face"):
        export(tmp_path, Broken(sphere, exact=True))


@pytest.mark.parametrize("changed", [{"faces": 3}, {"texture_size": 10**6}])
def test_settings_out_of_range(tmp_path, changed):
    with pytest.raises(SettingError, match="choose a number from"):
        export(tmp_path, GaussianScene(blob(count=3)), **changed)


def test_a_missing_library_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xatlas", None)
    with pytest.raises(SettingError, match=r"needs xatlas.*lodestone3d\[mesh\]"):
        export(tmp_path, Body(sphere, exact=True))
