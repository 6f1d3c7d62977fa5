"""A texture is seen where its coordinates say, averages what a pixel covers, and is learned back from pictures."""

import math
from dataclasses import replace

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.rendering.cameras import Cameras, turntable
from lodestone.scenes.scene import StructureState
from lodestone.scenes.surface import TexturedMesh
from lodestone.scenes.textured_mesh import TexturedMeshScene, TexturedMeshSettings, mapped_sphere, sample

SMALL = TexturedMeshSettings(texture_size=16)


def cameras(views: int = 2, size: int = 32) -> Cameras:
    return turntable(views, elevation=0.0, distance=3.0, field_of_view=30.0).cameras(size, size)


def facing_square(texture: torch.Tensor) -> TexturedMesh:
    """In the plane x = 0, seen by the camera in front: y points to the picture's right, z up."""
    corners = torch.tensor([[0.0, -0.5, 0.5], [0.0, 0.5, 0.5], [0.0, 0.5, -0.5], [0.0, -0.5, -0.5]])
    uv = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    return TexturedMesh(vertices=corners, faces=torch.tensor([[0, 2, 1], [0, 3, 2]]), uv=uv, texture=texture)


def test_texels_are_seen_where_they_lie() -> None:
    """u points right and v down; texel centres lie at + 0.5."""
    texture = torch.rand(4, 4, 3, generator=torch.Generator().manual_seed(0))
    places = (torch.stack(torch.meshgrid(torch.arange(4), torch.arange(4), indexing="xy"), dim=-1) + 0.5) / 4
    found = sample(texture, places.reshape(-1, 2), torch.zeros(16))
    assert torch.allclose(found.reshape(4, 4, 3), texture, atol=1e-6)
    between = sample(texture, torch.tensor([[0.25, 0.125]]), torch.zeros(1))[0]
    assert torch.allclose(between, (texture[0, 0] + texture[0, 1]) / 2, atol=1e-6)


def test_a_picture_on_a_square_is_that_picture() -> None:
    texture = torch.zeros(2, 2, 3)
    texture[0, 0, 0], texture[0, 1, 1], texture[1, 0, 2] = 1, 1, 1
    scene = SMALL.begin_as(facing_square(texture))
    picture = scene.render(cameras(1), torch.ones(1, 3)).color[0].detach()
    corners = {(12, 12): 0, (12, 19): 1, (19, 12): 2}
    for (row, column), channel in corners.items():
        assert int(picture[row, column].argmax()) == channel
    assert float(picture[19, 19].amax()) < 0.5
    assert torch.equal(picture[0, 0], torch.ones(3))


def test_a_mipmap_averages_what_a_pixel_covers() -> None:
    checks = torch.zeros(64, 64, 3)
    checks[::2, ::2], checks[1::2, 1::2] = 1, 1
    square = facing_square(checks)
    sharp, smooth = (
        TexturedMeshScene(square, mipmap=mipmap)
        .render(cameras(1, 16), torch.full((1, 3), 0.5))
        .color[0, 6:10, 6:10]
        .detach()
        for mipmap in (False, True)
    )
    assert torch.allclose(smooth, torch.tensor(0.5), atol=0.02)
    assert float((sharp - 0.5).abs().amax()) > 0.1
    places = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    coarse = sample(checks, places, torch.full((50,), 9.0))  # beyond the coarsest level
    assert torch.allclose(coarse, torch.tensor(0.5), atol=1e-6)


def test_every_texel_under_a_pixel_learns() -> None:
    scene = replace(SMALL, texture_size=64).create(torch.Generator())
    background = torch.ones(4, 3)
    scene.render(cameras(4, 16), background).color.sum().backward()
    learned = scene.texels.grad[16:48].ne(0).all(dim=-1).float().mean()
    scene.texels.grad, scene.mipmap = None, False
    scene.render(cameras(4, 16), background).color.sum().backward()
    assert float(learned) > 0.9 > 1.5 * float(scene.texels.grad[16:48].ne(0).all(dim=-1).float().mean())


def test_the_sphere_has_no_seam() -> None:
    vertices, faces, uv = mapped_sphere(16, 8)
    scene = SMALL.begin_as(TexturedMesh(vertices=vertices, faces=faces, uv=uv, texture=torch.ones(4, 4, 3)))
    directed = torch.cat([scene.welded_faces[:, [0, 1]], scene.welded_faces[:, [1, 2]], scene.welded_faces[:, [2, 0]]])
    key, opposite = (pair[:, 0] * 10**6 + pair[:, 1] for pair in (directed, directed.flip(1)))
    assert torch.equal(key.sort().values, opposite.sort().values)
    a, b, c = scene.welded[scene.welded_faces].unbind(dim=1)
    enclosed = float((torch.linalg.cross(a, b) * c).sum() / 6)
    assert 0.9 * 4 / 3 * math.pi < enclosed < 4 / 3 * math.pi


def test_a_texture_is_learned_back_from_pictures() -> None:
    settings = replace(SMALL, mipmap=False)
    wanted, scene = settings.create(torch.Generator()), settings.create(torch.Generator())
    with torch.no_grad():
        wanted.texels.copy_(2 * torch.randn(wanted.texels.shape, generator=torch.Generator().manual_seed(0)))
    views, background = cameras(4), torch.zeros(4, 3)
    target = wanted.render(views, background).color.detach()
    (group,) = settings.parameter_groups(scene, 0.0)
    optimizer = torch.optim.Adam([group.parameter], lr=group.learning_rate)
    for step in range(60):
        optimizer.zero_grad()
        error = (scene.render(views, background).color - target).square().mean()
        error.backward()
        optimizer.step()
        settings.adapt(scene, StructureState(optimizer, {}), step, torch.Generator())
    assert -10 * math.log10(float(error.detach())) > 30


def test_a_restored_scene_is_the_same() -> None:
    scene = SMALL.create(torch.Generator())
    with torch.no_grad():
        scene.texels.add_(torch.randn(scene.texels.shape, generator=torch.Generator().manual_seed(0)))
    again = SMALL.restore(scene.state_dict())
    one, two = (each.render(cameras(), torch.ones(2, 3)).color for each in (scene, again))
    assert torch.equal(one, two) and again.coverage() == 1.0
    surface = again.surface()
    assert torch.equal(surface.texture, scene.texture) and torch.equal(surface.uv, scene.uv)


def test_a_mesh_that_cannot_be_textured_is_named() -> None:
    square = facing_square(torch.ones(2, 2, 3))
    for broken in (
        replace(square, faces=square.faces[:0]),
        replace(square, vertices=square.vertices * math.nan),
        replace(square, uv=square.uv * math.inf),
    ):
        with pytest.raises(SettingError, match="repair it"):
            SMALL.begin_as(broken)
    with pytest.raises(SettingError, match=r"scene\.texture_size"):
        TexturedMeshSettings(texture_size=1)
