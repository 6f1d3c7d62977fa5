"""A mesh is seen where the cameras' conventions say."""

import math

import pytest
import torch

from lodestone.rendering.cameras import Cameras, turntable
from lodestone.rendering.rasterize import clip_positions, face_normals, see, vertex_normals
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.textured_mesh import mapped_sphere


def cameras(views: int = 2, height: int = 32, width: int = 40) -> Cameras:
    return turntable(views, elevation=20.0, distance=3.0, field_of_view=40.0).cameras(height, width)


def ball(radius: float = 0.8) -> TriangleMesh:
    vertices, faces, _ = mapped_sphere(48, 24)
    return TriangleMesh(vertices=radius * vertices, faces=faces)


def test_clip_positions_are_the_cameras_pixels() -> None:
    views = cameras()
    points = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    clip = clip_positions(views, points)
    for view in range(2):
        pose = torch.linalg.inv(views.camera_to_world[view])
        local = points @ pose[:3, :3].T + pose[:3, 3]
        pixels = local @ views.intrinsics[view].T
        expected = pixels[:, :2] / pixels[:, 2:] * torch.tensor([2 / 40, 2 / 32]) - 1
        assert torch.allclose(clip[view, :, :2] / clip[view, :, 3:], expected, atol=1e-5)
        assert torch.allclose(clip[view, :, 3], local[:, 2], atol=1e-5)


def test_depth_and_points_are_those_of_the_ball() -> None:
    views, surface = cameras(), see(ball(), cameras())
    assert bool(surface.seen.any()) and not bool(surface.seen.all())
    points = surface.points()
    assert torch.allclose(points.norm(dim=-1), torch.tensor(0.8), atol=0.01)
    assert torch.allclose(views.points(surface.depth())[surface.seen], points, atol=1e-4)
    assert not surface.depth()[~surface.seen].any()
    facing = (surface.smooth_normals() * surface.toward_eye(views, points)).sum(-1)
    assert bool((facing > -0.1).all())


def test_normals_point_outward() -> None:
    mesh, surface = ball(), see(ball(), cameras())
    outward = torch.nn.functional.normalize(surface.points(), dim=-1)
    for normals, least in ((surface.smooth_normals(), 0.99), (surface.flat_normals(), 0.98)):
        assert torch.allclose(normals.norm(dim=-1), torch.ones(()), atol=1e-5)
        assert float((normals * outward).sum(-1).amin()) > least
    assert bool(((face_normals(mesh) * mesh.vertices[mesh.faces].mean(dim=1)).sum(-1) > 0).all())
    # A vertex of no triangle has no direction, and a triangle without area none either.
    lonely = TriangleMesh(vertices=torch.eye(3), faces=torch.tensor([[0, 0, 1]]))
    assert not vertex_normals(lonely).any() and not face_normals(lonely).any()


def test_moving_toward_the_camera_makes_the_picture_larger() -> None:
    """Seen area grows as 1 / distance^2: its derivative by the scale of the object is twice the area."""
    scale = torch.tensor(1.0, requires_grad=True)
    mesh = TriangleMesh(vertices=scale * ball(0.4).vertices, faces=ball().faces)
    surface = see(mesh, cameras(1, 64, 64))
    area = surface.antialias(surface.seen[..., None].float()).sum()
    area.backward()
    focal = 32 / math.tan(math.radians(20))
    assert float(area.detach()) == pytest.approx(math.pi * (focal * 0.4) ** 2 / (9 - 0.16), rel=0.01)
    assert float(scale.grad) == pytest.approx(2 * float(area.detach()) * 9 / (9 - 0.16), rel=0.05)
