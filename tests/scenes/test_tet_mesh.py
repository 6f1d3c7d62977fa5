"""Marching tetrahedra gives closed surfaces of the right volume; the scene begins, learns and resumes as it should."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.optimize.mesh_regularizers import laplacian, normal_consistency
from lodestone.rendering.cameras import Cameras, turntable
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.scene import Rendering, StructureState
from lodestone.scenes.surface import ColoredMesh, TexturedMesh, Volume
from lodestone.scenes.tet_mesh import Appearance, Shows, TetMesh, without_small_parts
from lodestone.scenes.tet_mesh_settings import TetMeshSettings
from lodestone.scenes.tetrahedra import TetrahedralGrid, march, tetrahedra_of_a_cell, triangles_of
from lodestone.scenes.texture_field import FrequencyTextureSettings, HashTextureSettings
from lodestone.scenes.textured_mesh import mapped_sphere

GRID = TetrahedralGrid(24, 1.0)
SMALL = TetMeshSettings(cells=12, texture=FrequencyTextureSettings(octaves=2, hidden=8))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ball(points: Tensor) -> Tensor:
    return points.norm(dim=-1) - 0.7


def torus(points: Tensor) -> Tensor:
    return ((points[:, :2].norm(dim=-1) - 0.6).square() + points[:, 2].square()).sqrt() - 0.25


def cube(points: Tensor) -> Tensor:
    return points.abs().amax(dim=-1) - 0.51


def is_closed(mesh: TriangleMesh) -> bool:
    """Every directed edge occurs once, and so does its opposite: watertight and consistently oriented."""
    directed = torch.cat([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    key, opposite = (pair[:, 0] * len(mesh.vertices) + pair[:, 1] for pair in (directed, directed.flip(1)))
    once = len(key.unique()) == len(key)
    return once and torch.equal(key.sort().values, opposite.sort().values)


def euler(mesh: TriangleMesh) -> int:
    return len(mesh.vertices) - 3 * len(mesh.faces) // 2 + len(mesh.faces)


def volume(mesh: TriangleMesh) -> float:
    a, b, c = mesh.vertices.detach().double()[mesh.faces].unbind(dim=1)
    return float((torch.linalg.cross(a, b) * c).sum() / 6)


def cameras(views: int = 2, size: int = 24) -> Cameras:
    return turntable(views, elevation=15.0, distance=3.0, field_of_view=40.0).cameras(size, size)


# ------------------------------------------------------------------------------------------------ marching tetrahedra


def test_six_tetrahedra_fill_a_cell() -> None:
    corners = torch.tensor([[bits >> 2, bits >> 1 & 1, bits & 1] for bits in range(8)]).double()
    a, b, c, d = corners[tetrahedra_of_a_cell()].unbind(dim=1)
    volumes = (torch.linalg.cross(b - a, c - a) * (d - a)).sum(-1) / 6
    assert torch.allclose(volumes, torch.full((6,), 1 / 6, dtype=torch.float64))


@pytest.mark.parametrize("code", range(16))
def test_every_pattern_separates_inside_from_outside(code: int) -> None:
    inside = [i for i in range(4) if code >> i & 1]
    found = triangles_of(code)
    assert len(found) == {0: 0, 1: 1, 2: 2, 3: 1, 4: 0}[len(inside)]
    corners = torch.cat([torch.zeros(1, 3), torch.eye(3)])
    edges = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    for triangle in found:
        assert all((edges[e][0] in inside) != (edges[e][1] in inside) for e in triangle)
        a, b, c = (corners[list(edges[e])].mean(dim=0) for e in triangle)
        normal = torch.linalg.cross(b - a, c - a)
        side = (corners - a) @ normal
        assert all((side[i] <= 1e-6) if i in inside else (side[i] >= -1e-6) for i in range(4))


@pytest.mark.parametrize(
    ("distance", "characteristic", "expected"),
    [(ball, 2, 4 / 3 * math.pi * 0.7**3), (torus, 0, 2 * math.pi**2 * 0.6 * 0.25**2), (cube, 2, 1.02**3)],
)
def test_known_bodies(distance: Callable[[Tensor], Tensor], characteristic: int, expected: float) -> None:
    grid = TetrahedralGrid(40, 1.0)
    points = grid.positions()
    mesh = march(grid, distance(points), points)
    assert is_closed(mesh) and euler(mesh) == characteristic
    # Flat between the vertices, the surface lies inside a convex body's by up to 1 % of the volume.
    assert volume(mesh) == pytest.approx(expected, rel=0.012)
    assert torch.allclose(distance(mesh.vertices), torch.zeros(()), atol=5e-3 if distance is not cube else 0.02)


def test_no_pattern_of_signs_leaves_a_crack() -> None:
    """Random values show every pattern next to every other."""
    grid = TetrahedralGrid(9, 1.0)
    values = torch.randn(10**3, generator=generator())
    values[grid.border()] = 1.0
    mesh = march(grid, values, grid.positions())
    assert len(mesh.faces) > 1000 and is_closed(mesh) and volume(mesh) > 0
    assert int(mesh.faces.amax()) == len(mesh.vertices) - 1


def test_values_that_are_zero_or_not_a_number_are_outside() -> None:
    points = GRID.positions()
    values = ball(points)
    values[points.norm(dim=-1) < 0.2], values[values.abs() < 0.02] = math.nan, 0.0
    mesh = march(GRID, values, points)
    assert is_closed(mesh)
    nothing = march(GRID, torch.ones_like(values), points)
    assert nothing.vertices.shape == (0, 3) and nothing.faces.shape == (0, 3)


def test_vertices_move_with_values_and_positions() -> None:
    """Against differences: volume as a function of every distance and place."""
    grid = TetrahedralGrid(5, 1.0)
    points = grid.positions().double() + 0.02 * torch.randn(216, 3, generator=generator(), dtype=torch.float64)
    inputs = ((ball(points) - 0.013).requires_grad_(), points.requires_grad_())

    def measure(values: Tensor, positions: Tensor) -> Tensor:
        mesh = march(grid, values, positions)
        a, b, c = mesh.vertices[mesh.faces].unbind(dim=1)
        return (torch.linalg.cross(a, b) * c).sum() / 6

    assert torch.autograd.gradcheck(measure, inputs, eps=1e-6, atol=1e-6, fast_mode=True)
    # Growing by a distance h everywhere adds h times the area.
    gradient = torch.autograd.grad(measure(*inputs), inputs[0])[0]
    assert float(-gradient.sum()) == pytest.approx(4 * math.pi * 0.713**2, rel=0.06)


# ---------------------------------------------------------------------------------------------------------- the scene


def test_it_begins_as_an_ellipsoid() -> None:
    settings = replace(SMALL, cells=32, radii=(0.6, 0.4, 0.3))
    mesh = settings.create(generator()).mesh()
    assert is_closed(mesh) and euler(mesh) == 2
    assert volume(mesh) == pytest.approx(4 / 3 * math.pi * 0.6 * 0.4 * 0.3, rel=0.03)


def test_it_begins_as_another_scene() -> None:
    vertices, faces, uv = mapped_sphere(32, 16)
    low, high = torch.full((3,), -0.9), torch.full((3,), 0.9)

    def color(points: Tensor) -> Tensor:
        return 0.5 + 0.4 * points

    sources = [
        Volume(density=lambda p: torch.exp(-4 * p.norm(dim=-1)), low=low, high=high, level=math.exp(-2.4), color=color),
        ColoredMesh(mesh=TriangleMesh(vertices=0.6 * vertices, faces=faces), color=color),
        TexturedMesh(vertices=0.6 * vertices, faces=faces, uv=uv, texture=torch.ones(4, 4, 3)),
    ]
    for source in sources:
        scene = replace(SMALL, cells=24).begin_as(source, generator())
        mesh = scene.mesh()
        assert is_closed(mesh) and euler(mesh) == 2
        assert volume(mesh) == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=0.05)
        if not isinstance(source, TexturedMesh):
            places = mesh.vertices.detach()
            assert float((scene.base_color(places) - color(places)).abs().mean()) < 0.03


def test_what_it_cannot_begin_as_is_named() -> None:
    low, high = torch.full((3,), -0.9), torch.full((3,), 0.9)
    empty = Volume(density=lambda p: p.new_zeros(len(p)), low=low, high=high, level=1.0)
    with pytest.raises(SettingError, match=r"scene\.bound"):
        SMALL.begin_as(empty, generator())
    with pytest.raises(SettingError, match=r"Volume\.level"):
        SMALL.begin_as(replace(empty, level=None), generator())
    for vertices in (torch.zeros(0, 3), torch.full((3, 3), math.nan)):
        faces = torch.arange(len(vertices)).reshape(-1, 3)
        with pytest.raises(SettingError, match="repair it"):
            SMALL.begin_as(ColoredMesh(mesh=TriangleMesh(vertices=vertices, faces=faces)), generator())


@pytest.mark.parametrize("shows", list(Shows))
@pytest.mark.parametrize("appearance", list(Appearance))
def test_every_parameter_learns_from_what_the_prior_sees(shows: Shows, appearance: Appearance) -> None:
    scene = replace(SMALL, shows=shows, appearance=appearance, latent_size=6).create(generator())
    rendering = scene.render(cameras(), torch.rand(2, 3, generator=generator()))
    seen = rendering.color if rendering.latents is None else rendering.latents
    cotangent = torch.randn(seen.shape, generator=generator())
    (seen * cotangent).sum().backward()
    textured = shows is Shows.COLOR
    for name, parameter in scene.named_parameters():
        learned = parameter.grad is not None and bool(parameter.grad.any())
        assert learned == (textured or not name.startswith("texture")), name
    assert (rendering.latents is not None) == (shows is Shows.NORMALS_AND_MASK_LATENT)
    assert float(rendering.opacity.detach().amax()) == pytest.approx(1) and rendering.mesh is not None


def test_latents_are_normals_and_mask_until_their_steps_are_over() -> None:
    settings = replace(SMALL, shows=Shows.NORMALS_AND_MASK_LATENT, latent_steps=3, latent_size=12)
    scene, background = settings.create(generator()), torch.rand(2, 3, generator=generator())
    rendering = scene.render(cameras(), background)
    assert rendering.latents is not None and rendering.normals is not None
    inner = torch.nn.functional.avg_pool2d(rendering.normals.permute(0, 3, 1, 2), 2)[:, :, 5:7, 5:7]
    assert torch.allclose(rendering.latents[:, :3, 5:7, 5:7], inner, atol=1e-5)
    assert torch.allclose(rendering.latents[:, 3, 5:7, 5:7], torch.ones(()), atol=1e-5)
    assert torch.allclose(rendering.latents[:, :, 0, 0], torch.zeros(()), atol=1e-5)
    optimizer = torch.optim.Adam(scene.parameters())
    settings.adapt(scene, StructureState(optimizer, {}), 2, generator())
    assert scene.render(cameras(), background).latents is None
    settings.check(2, 24, (4, 12, 12))
    with pytest.raises(SettingError, match="latent_size"):
        settings.check(2, 24, (3, 24, 24))


def test_texture_alone_leaves_the_shape() -> None:
    settings = replace(SMALL, learn_geometry=False, appearance=Appearance.PHYSICALLY_BASED)
    scene = settings.create(generator())
    scene.render(cameras(), torch.ones(2, 3)).color.sum().backward()
    assert scene.distances.grad is None and scene.deformation.grad is None
    assert all(group.parameter.grad is not None for group in settings.parameter_groups(scene, 0.0)[2:])


def test_an_empty_scene_can_be_seen_and_says_so() -> None:
    scene = SMALL.create(generator())
    assert scene.coverage() == 1.0
    with torch.no_grad():
        scene.distances.fill_(1.0)
    background = torch.tensor([[0.2, 0.4, 0.6], [1.0, 0.0, 0.0]])
    rendering = scene.render(cameras(), background)
    assert scene.coverage() == 0.0 and not rendering.opacity.any()
    assert torch.equal(rendering.color, background[:, None, None].expand(2, 24, 24, 3))
    rendering.color.sum().backward()
    with pytest.raises(SettingError, match="no surface"):
        scene.surface()
    for loss in (laplacian, normal_consistency):
        assert float(loss(rendering).detach()) == 0


def test_a_scene_that_fills_the_cube_is_still_closed() -> None:
    scene = SMALL.create(generator())
    with torch.no_grad():
        scene.distances.fill_(-1.0)
    assert is_closed(scene.mesh())


def test_small_parts_and_cavities_go() -> None:
    settings = replace(SMALL, cells=16)
    scene, points = settings.create(generator()), settings.grid.positions()
    with torch.no_grad():
        scene.distances.copy_((points.norm(dim=-1) - 0.6) / settings.grid.cell)
        whole = scene.distances.clamp(-2, 2)
        far = (points - torch.tensor([0.8, 0.8, 0.8])).norm(dim=-1) < 0.13
        assert 0 < int(far.sum()) < 10
        scene.distances[far], scene.distances[points.norm(dim=-1) < 0.13] = -1.0, 1.0
    optimizer = torch.optim.Adam(scene.parameters())
    settings.adapt(scene, StructureState(optimizer, {}), 0, generator())
    assert euler(scene.mesh()) == 6  # three closed surfaces
    settings.adapt(scene, StructureState(optimizer, {}), settings.tidy_every - 1, generator())
    assert euler(scene.mesh()) == 2
    assert torch.equal(scene.distances.detach() < 0, whole < 0)
    keep = torch.zeros(4, 4, 4, dtype=torch.bool)
    assert torch.equal(without_small_parts(keep, 0.5), keep)


def test_a_restored_scene_is_the_same() -> None:
    for texture in (SMALL.texture, HashTextureSettings(levels=2, table_bits=6, base=4, finest=8, hidden=4)):
        settings = replace(SMALL, texture=texture, shows=Shows.NORMALS_AND_MASK_LATENT, latent_size=6)
        scene = settings.create(generator(3))
        with torch.no_grad():
            scene.deformation.add_(torch.randn(scene.deformation.shape, generator=generator()))
        scene.step.fill_(7)
        again = settings.restore(scene.state_dict())
        assert isinstance(again, TetMesh) and int(again.step) == 7
        one, two = (each.render(cameras(), torch.ones(2, 3)) for each in (scene, again))
        assert torch.equal(one.color, two.color)
        assert [group.name for group in settings.parameter_groups(again, 0.5)] == [
            n for n, _ in scene.named_parameters()
        ]


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(SettingError, match=r"scene\.cells"):
        TetMeshSettings(cells=1)
    with pytest.raises(SettingError, match=r"scene\.radii"):
        TetMeshSettings(radii=(2.0, 0.5, 0.5))
    with pytest.raises(SettingError, match=r"scene\.radii"):
        TetMeshSettings(cells=8, radii=(0.5, 0.5, 0.01))


def test_optimization_finds_a_silhouette() -> None:
    """From a ball to an ellipsoid by its pictures alone: the overlap of the silhouettes grows above 0.95."""
    settings = replace(SMALL, cells=16, radii=(0.45, 0.45, 0.45))
    scene, wanted = settings.create(generator()), replace(SMALL, cells=16, radii=(0.6, 0.4, 0.7)).create(generator())
    views, background = cameras(4, 32), torch.ones(4, 3)
    target = wanted.render(views, background).opacity.detach()
    groups = settings.parameter_groups(scene, 0.0)
    optimizer = torch.optim.Adam([{"params": [g.parameter], "lr": 5 * g.learning_rate} for g in groups], eps=1e-15)
    for step in range(40):
        optimizer.zero_grad()
        opacity = scene.render(views, background).opacity
        (opacity - target).square().sum().backward()
        optimizer.step()
        settings.adapt(scene, StructureState(optimizer, {}), step, generator())
    overlap = torch.minimum(opacity, target).sum() / torch.maximum(opacity, target).sum()
    assert float(overlap.detach()) > 0.95 and is_closed(scene.mesh())


# -------------------------------------------------------------------------------------------------------- regularizers


def rendering_of(mesh: TriangleMesh) -> Rendering:
    flat = torch.zeros(1, 1, 1, 1)
    return Rendering(color=flat.expand(1, 1, 1, 3), opacity=flat, depth=flat, mesh=mesh)


def test_regularizers_of_known_meshes() -> None:
    tetrahedron = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], requires_grad=True)
    faces = torch.tensor([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    rendering = rendering_of(TriangleMesh(vertices=tetrahedron, faces=faces))
    # Three neighbours around the opposite of each vertex: sum (x_i - x_j) = 4 x_i, of length 4 sqrt 3.
    assert float(laplacian(rendering).detach()) == pytest.approx(4 * math.sqrt(3))
    # Vertex normals point along the vertices, whose cosine is -1/3.
    assert float(normal_consistency(rendering).detach()) == pytest.approx(4 / 3)
    gradient = torch.autograd.grad(laplacian(rendering), tetrahedron)[0]
    assert float((gradient * tetrahedron.detach()).sum()) == pytest.approx(4 * math.sqrt(3))


def test_smoother_meshes_cost_less() -> None:
    vertices, faces, _ = mapped_sphere(24, 12)
    vertices, names = torch.unique(vertices, dim=0, return_inverse=True)
    rough = vertices + 0.03 * torch.randn(vertices.shape, generator=generator())
    smooth, bumpy = (rendering_of(TriangleMesh(vertices=v, faces=names[faces])) for v in (vertices, rough))
    assert float(laplacian(smooth)) < 0.7 * float(laplacian(bumpy))
    assert float(normal_consistency(smooth)) < 0.7 * float(normal_consistency(bumpy))
