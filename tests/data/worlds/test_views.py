"""Views against closed forms: a ball, a coin of two colours, and what must not change anything."""

import math

import pytest
import torch

from lodestone.data.worlds.colors import COLORS
from lodestone.data.worlds.materials import matt, split
from lodestone.data.worlds.meshes import Placed, assemble, corner_normals
from lodestone.data.worlds.shapes import box, cylinder, ellipsoid, lathe
from lodestone.data.worlds.textures import unwrap
from lodestone.data.worlds.views import daylight, see_colors, see_geometry
from lodestone.kernels.rasterization import interpolate, rasterize
from lodestone.rendering.cameras import Viewpoints, turntable
from lodestone.rendering.lighting import EnvironmentLight, Lobe
from lodestone.rendering.rasterize import clip_positions
from lodestone.rendering.samples import TriangleMesh
from lodestone.rendering.shading import to_linear

DISTANCE, ANGLE = 3.0, 45.0
HALVES = split("blue", "red", 0.0, "x")


def cameras(count=4, size=48, elevation=0.0):
    return turntable(count, elevation=elevation, distance=DISTANCE, field_of_view=ANGLE).cameras(size, size)


def one(shape, material=None):
    return assemble([Placed([(shape, material or matt("red"))])])


BALL = one(ellipsoid(0.7, segments=96).move(3, 4, 5))


def test_the_mesh_is_in_the_unit_ball():
    mesh = assemble(
        [Placed([(box(1, 2, 3), matt("red"))], 2.0, 30.0, 5.0, 6.0, 7.0), Placed([(box(1, 1, 1), matt("red"))])]
    )
    assert float(mesh.mesh.vertices.norm(dim=-1).max()) == pytest.approx(1, abs=1e-5)
    middle = mesh.mesh.vertices.amin(0) + mesh.mesh.vertices.amax(0)
    assert middle.tolist() == pytest.approx([0, 0, 0], abs=1e-5)


def test_a_ball_covers_its_disc():
    size = 64
    half = math.tan(math.asin(1 / DISTANCE)) / math.tan(math.radians(ANGLE / 2))
    expected = math.pi * half**2 / 4
    for mask in (see_colors(BALL, cameras(1, size)).mask, see_geometry(BALL, cameras(1, size)).mask):
        assert float(mask.mean()) == pytest.approx(expected, rel=0.01)


def test_geometry_of_a_ball():
    view = cameras(3, 49, 20.0)
    seen = see_geometry(BALL, view)
    toward = view.camera_to_world[:, :3, 3] / DISTANCE
    assert torch.allclose(seen.depth[:, 24, 24, 0], torch.full((3,), DISTANCE - 1), atol=3e-3)
    assert torch.allclose(seen.normals[:, 24, 24], toward, atol=0.02)
    assert torch.allclose(seen.canonical[:, 24, 24], toward, atol=0.02)
    # Depth leads back to the surface, whose points are its normals and its canonical coordinates.
    points = view.points(seen.depth)
    mask = seen.mask[..., 0] > 0
    assert torch.allclose(points[mask], seen.canonical[mask], atol=1e-4)
    assert torch.allclose(seen.normals[mask], seen.canonical[mask], atol=0.02)


def test_canonical_coordinates_do_not_depend_on_the_place():
    shape = lathe([(0.5, 0.0), (0.2, 1.0)], 12)
    part = [(shape, matt("red"))]
    alone = assemble([Placed(part)])
    placed = assemble([Placed([(box(1, 1, 1), matt("blue"))]), Placed(part, 3.0, 70.0, 10.0, 0.0, 2.0)])
    start = len(box(1, 1, 1).vertices)

    def canonical(mesh, first, owner):
        return (mesh.local[first:] - mesh.centers[owner]) / mesh.radii[owner]

    assert torch.allclose(canonical(alone, 0, 0), canonical(placed, start, 1))
    assert torch.allclose(canonical(alone, 0, 0), alone.mesh.vertices, atol=1e-6)


def test_azimuth_0_sees_the_front():
    base = see_colors(one(ellipsoid(1.0), matt(HALVES)), cameras()).base_color[:, 24, 18]
    expected = torch.tensor([COLORS[name].rgb for name in ("red", "red", "blue", "blue")])
    # Left of the middle: azimuth 90 looks along -y and has +x at its left.
    base_right = see_colors(one(ellipsoid(1.0), matt(HALVES)), cameras()).base_color[:, 24, 30]
    expected_right = torch.tensor([COLORS[name].rgb for name in ("red", "blue", "blue", "red")])
    assert torch.allclose(base, expected, atol=1e-3)
    assert torch.allclose(base_right, expected_right, atol=1e-3)


def test_plus_y_is_at_the_right_of_the_front():
    mesh = assemble([Placed([(box(0.2, 2, 0.2), matt("red")), (ellipsoid(0.3).move(y=1), matt("blue"))])])
    color = see_colors(mesh, cameras(1)).base_color[0]
    blue = (color[..., 2] > color[..., 0] + 0.1).nonzero()[:, 1].float()
    assert float(blue.min()) > 24


def test_light_of_one_is_the_base_color_of_matt_things():
    """Under light of radiance 1 from everywhere a matt surface sends back its base colour, and a little gloss."""
    white_furnace = EnvironmentLight((Lobe(),))
    seen = see_colors(one(ellipsoid(1.0), matt("orange")), cameras(1), white_furnace)
    inside = seen.mask[..., 0] == 1
    assert float((to_linear(seen.color) - to_linear(seen.base_color))[inside].abs().max()) < 0.08


def test_the_sun_is_where_it_is_said_to_be():
    color = see_colors(one(ellipsoid(1.0), matt("white")), cameras(4), daylight(azimuth=90.0, elevation=10.0)).color
    brightness = color[:, 24, 24].mean(-1)
    assert brightness.argmax() == 1 and brightness.argmin() == 3


def test_base_color_is_that_of_the_material_and_backgrounds_show_through():
    seen = see_colors(BALL, cameras(1))
    inside, outside = seen.mask[..., 0] == 1, seen.mask[..., 0] == 0
    assert torch.allclose(seen.base_color[inside], torch.tensor(COLORS["red"].rgb), atol=1e-4)
    assert float(seen.color[outside].abs().max()) == 0
    pictures = torch.rand(1, 48, 48, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(seen.over(pictures)[outside], pictures[outside])
    assert torch.equal(seen.over(torch.ones(1, 3))[inside], seen.color[inside])


def test_views_do_not_depend_on_each_other_or_on_threads():
    mesh = assemble([Placed([(box(1, 1, 1, 0.2), matt(HALVES)), (cylinder(0.3, 2), matt("red"))])])
    together, alone = see_colors(mesh, cameras(2)), see_colors(mesh, cameras(1))
    assert torch.allclose(together.color[:1], alone.color, atol=1e-6)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        single = see_colors(mesh, cameras(2))
        torch.set_num_threads(3)
        several = see_colors(mesh, cameras(2))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(single.color, several.color) and torch.equal(single.mask, several.mask)


def test_creases_are_kept_and_round_things_are_smooth():
    drum = cylinder(1.0, 2.0, 32)
    normals = corner_normals(TriangleMesh(vertices=drum.vertices, faces=drum.faces))
    cap = normals[..., 2].abs() > 0.5
    assert torch.allclose(normals[cap][:, 2].abs(), torch.ones(int(cap.sum())))
    side = normals[~cap]
    assert float(side[:, 2].abs().max()) < 1e-5
    assert torch.allclose(side, drum.vertices[drum.faces][~cap] * torch.tensor([1.0, 1.0, 0.0]), atol=1e-5)
    globe = ellipsoid(1.0, segments=32)
    smooth = corner_normals(TriangleMesh(vertices=globe.vertices, faces=globe.faces))
    assert torch.allclose(smooth, globe.vertices[globe.faces], atol=0.02)


def test_box_corners_have_three_normals():
    cube = box(1, 1, 1)
    normals = corner_normals(TriangleMesh(vertices=cube.vertices, faces=cube.faces))
    assert torch.allclose(normals.abs().amax(-1), torch.ones(normals.shape[:2]))


def test_a_texture_shows_what_the_materials_show():
    painted = one(ellipsoid(1.0, segments=12), matt(split("yellow", "blue", 0.1)))
    unwrapped = unwrap(painted)
    view = Viewpoints(
        azimuth=torch.zeros(1), elevation=torch.full((1,), 20.0), distance=torch.full((1,), 3.0),
        field_of_view=torch.full((1,), 45.0),
    ).cameras(64, 64)  # fmt: skip
    fragments = rasterize(clip_positions(view, unwrapped.vertices), unwrapped.faces, 64, 64)
    uv = interpolate(unwrapped.uv, unwrapped.faces, fragments)
    found = torch.nn.functional.grid_sample(
        unwrapped.texture.permute(2, 0, 1)[None], 2 * uv - 1, align_corners=False
    ).permute(0, 2, 3, 1)
    seen = see_geometry(painted, view).mask[..., 0] > 0
    local = interpolate(painted.local, painted.mesh.faces, fragments)
    expected = painted.materials[0].colors(local[seen])
    assert float(((found[seen] - expected).abs().amax(-1) > 0.02).float().mean()) < 0.06
    assert float(unwrapped.uv.min()) >= 0 and float(unwrapped.uv.max()) <= 1


@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_a_texture_has_room_for_any_number_of_triangles(count):
    cube = one(box(1, 1, 1))
    few = type(cube)(
        **{**cube.__dict__, "mesh": TriangleMesh(vertices=cube.mesh.vertices, faces=cube.mesh.faces[:count])}
    )
    unwrapped = unwrap(few)
    assert len(unwrapped.faces) == count and len(unwrapped.uv) == 3 * count
    assert torch.allclose(unwrapped.texture.amax(dim=(0, 1)), torch.tensor(COLORS["red"].rgb))
