"""Colours arrive on the texels where the surface has them."""

from dataclasses import replace

import numpy as np
import torch
from mesh_scenes import Body, rainbow, sphere, uv_sphere

from lodestone.export.texture_baking import bake_color, bake_views, fill_gutters, fill_unseen, texels_of
from lodestone.export.texture_fitting import compare_picture, fit_vertices
from lodestone.export.unwrapping import cell_atlas
from lodestone.export.visibility import look
from lodestone.kernels.rasterization import interpolate
from lodestone.rendering.cameras import EvaluationCamera
from lodestone.rendering.samples import TriangleMesh

BALL = TriangleMesh(**dict(zip(("vertices", "faces"), uv_sphere(20, 40), strict=True)))
SIZE = 256
ATLAS = cell_atlas(BALL.faces, size=SIZE)
CAMERA = EvaluationCamera(elevation=10.0, distance=3.0, field_of_view=30.0)


def test_texels_lie_on_their_faces():
    texels = texels_of(BALL, ATLAS, SIZE)
    assert len(texels) > 0.2 * SIZE**2
    radii = texels.position.norm(dim=-1)
    assert radii.min() > 0.59 and radii.max() < 0.6001
    outward = (texels.normal * texels.position / radii[:, None]).sum(dim=-1)
    assert outward.min() > 0.98


def test_a_colour_at_points_is_baked_exactly():
    texels = texels_of(BALL, ATLAS, SIZE)
    texture = bake_color(texels, rainbow, torch.device("cpu"))
    baked = texture.flatten(0, 1)[texels.index]
    torch.testing.assert_close(baked, rainbow(texels.position))
    assert not bool((texture == 0).all(dim=-1).any())


def test_pictures_are_projected_back_to_where_they_came_from():
    # 512 pixels for 1.6 world units: half a pixel is 0.0016, and the colour changes by 1.2 in a unit.
    texels = texels_of(BALL, ATLAS, SIZE)
    texture = bake_views(texels, BALL, ATLAS, Body(sphere, exact=True), CAMERA, 256)
    error = (texture.flatten(0, 1)[texels.index] - rainbow(texels.position)).abs()
    assert error.mean() < 0.01
    assert error.quantile(0.99) < 0.06


def test_what_is_hidden_takes_no_colour_from_what_hides_it():
    # A small ball behind a big one: cameras in front of the big one must not paint the small one.
    vertices = torch.cat([BALL.vertices, 0.2 * BALL.vertices + torch.tensor([-0.9, 0.0, 0.0])])
    both = TriangleMesh(vertices=vertices, faces=torch.cat([BALL.faces, BALL.faces + len(BALL.vertices)]))

    def distance(points):
        return torch.minimum(sphere(points), (points - torch.tensor([-0.9, 0.0, 0.0])).norm(dim=-1) - 0.12)

    scene = Body(distance, exact=True, bound=1.1)
    atlas = cell_atlas(both.faces, size=SIZE)
    texels = texels_of(both, atlas, SIZE)
    texture = bake_views(texels, both, atlas, scene, CAMERA, 256)
    small = (texels.position - torch.tensor([-0.9, 0.0, 0.0])).norm(dim=-1) < 0.15
    error = (texture.flatten(0, 1)[texels.index] - rainbow(texels.position)).abs()[small]
    assert error.mean() < 0.03


def test_what_a_texture_lacks_is_found():
    # A grey texture, and pictures of a ball whose colour is linear in place: the vertices' colours are the answer.
    def linear(points):
        return 0.5 + 0.3 * points

    views = CAMERA.viewpoints(6).cameras(96, 96)
    grey = torch.full((SIZE, SIZE, 3), 0.5)
    comparisons = []
    for view in range(6):
        one = slice(view, view + 1)
        cameras = replace(views, camera_to_world=views.camera_to_world[one], intrinsics=views.intrinsics[one])
        fragments = look(BALL, cameras).fragments
        color = linear(interpolate(BALL.vertices, BALL.faces, fragments))
        picture = torch.cat([color, torch.ones(1, 96, 96, 1)], dim=-1).permute(0, 3, 1, 2)
        comparisons.append(compare_picture(BALL, ATLAS, grey, cameras, picture))
    lacking = fit_vertices(comparisons, len(BALL.vertices))
    seen = BALL.vertices[:, 2].abs() < 0.4  # the poles are seen by few pixels, and keep more of their colour
    error = (lacking + 0.5 - linear(BALL.vertices))[seen].abs()
    assert error.mean() < 0.03
    nothing = replace(comparisons[0], missing=torch.zeros_like(comparisons[0].missing))
    assert bool((fit_vertices([nothing], len(BALL.vertices)) == 0).all())


def test_unseen_texels_take_the_nearest_colour():
    position = torch.tensor([[0.0, 0, 0], [1.0, 0, 0], [0.9, 0, 0], [0.2, 0, 0]])
    color = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [9.0, 9, 9], [9.0, 9, 9]])
    filled = fill_unseen(position, color, torch.tensor([True, True, False, False]))
    assert filled[2].tolist() == [0, 1, 0] and filled[3].tolist() == [1, 0, 0]
    assert bool((fill_unseen(position, color, torch.zeros(4, dtype=torch.bool)) == 0.5).all())


def test_gutters_repeat_the_nearest_texel():
    texels = texels_of(BALL, ATLAS, SIZE)
    color = torch.rand(len(texels), 3, generator=torch.Generator().manual_seed(0))
    texture = fill_gutters(texels, color)
    known = {tuple(row) for row in color.tolist()}
    rng = np.random.default_rng(0)
    for row, column in rng.integers(0, SIZE, (50, 2)):
        assert tuple(texture[row, column].tolist()) in known
    assert torch.equal(texture.flatten(0, 1)[texels.index], color)
