"""Rays go through pixel centres."""

import pytest
import torch

from lodestone.rendering.cameras import turntable
from lodestone.rendering.rays import rays_of, shrink


def cameras(height=6, width=8):
    return turntable(3, elevation=20.0, distance=2.5, field_of_view=50.0).cameras(height, width)


def test_rays_are_unit_vectors_that_project_back_to_their_pixels():
    seen = cameras()
    rays = rays_of(seen)
    assert len(rays) == 3 * 6 * 8
    assert torch.allclose(rays.directions.norm(dim=-1), torch.ones(len(rays)), atol=1e-6)
    points = (rays.origins + 1.7 * rays.directions).view(3, 48, 3)
    rotation, position = seen.camera_to_world[:, :3, :3], seen.camera_to_world[:, :3, 3]
    in_camera = torch.einsum("vji,vpj->vpi", rotation, points - position[:, None])
    on_screen = torch.einsum("vij,vpj->vpi", seen.intrinsics, in_camera)
    pixels = (on_screen[..., :2] / on_screen[..., 2:]).view(3, 6, 8, 2)
    rows, columns = torch.meshgrid(torch.arange(6) + 0.5, torch.arange(8) + 0.5, indexing="ij")
    assert torch.allclose(pixels, torch.stack([columns, rows], dim=-1).expand_as(pixels), atol=1e-4)
    assert torch.allclose(in_camera[..., 2].reshape(-1), 1.7 * rays.depth_rate, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 2])
def test_fewer_pixels_see_the_same(factor):
    """The corners of the view stay where they are: a large pixel is the middle of the small ones."""
    few, many = rays_of(shrink(cameras(), factor)), rays_of(cameras())
    points = (many.directions / many.depth_rate[:, None]).view(3, 6 // factor, factor, 8 // factor, factor, 3)
    middle = points.mean(dim=(2, 4)).reshape(-1, 3)
    assert torch.allclose(few.directions / few.depth_rate[:, None], middle, atol=1e-5)
