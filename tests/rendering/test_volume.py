"""Volume renderings of balls and slabs, against closed forms."""

import math

import pytest
import torch

from lodestone.rendering.cameras import Cameras, turntable
from lodestone.rendering.occupancy import OccupancyGrid, OccupancySettings
from lodestone.rendering.rays import rays_of
from lodestone.rendering.volume import SampleValues, render_volume, step_length, take_samples


def render(cameras, density, occupancy=None, samples=2000, rng=None):
    """White, with the normals of spheres around the origin."""
    occupancy = occupancy or OccupancyGrid(1, 1.0)
    rays = rays_of(cameras)
    packed = take_samples(rays, occupancy, samples, rng)
    points = packed.position
    normal = torch.nn.functional.normalize(points, dim=-1)
    values = SampleValues(density=density(points), features=torch.ones(len(points), 3), normal=normal)
    return rays, render_volume(rays, packed, step_length(occupancy.bound, samples), values)


def ball(sigma, radius):
    return lambda points: sigma * (points.norm(dim=-1) < radius).float()


def cameras(size=9, distance=3.0):
    return turntable(1, elevation=10.0, distance=distance, field_of_view=30.0).cameras(size, size)


@pytest.mark.parametrize("sigma", [0.5, 4.0])
def test_a_homogeneous_ball_has_the_opacity_and_depth_of_its_chords(sigma):
    """Opacity `1 - exp(-sigma L)` over a chord of length L; mean distance `t_0 + 1/sigma - L e^(-sigma L) / o`."""
    rays, images = render(cameras(), ball(sigma, 0.6))
    closest = -(rays.origins * rays.directions).sum(-1)
    miss = (rays.origins + closest[:, None] * rays.directions).norm(dim=-1)
    half = (0.36 - miss.square()).clamp(min=0).sqrt()
    steps = step_length(1.0, 2000)
    opacity = 1 - torch.exp(-2 * sigma * half)
    assert (images.opacity[:, 0] - opacity).abs().max() < sigma * steps + 1e-4
    inside = half > 0.2
    mean = closest - half + 1 / sigma - 2 * half * torch.exp(-2 * sigma * half) / opacity
    depth = (mean * rays.depth_rate)[inside]
    assert (images.depth[inside, 0] - depth).abs().max() < 2 * steps
    assert torch.allclose(images.features[:, 0], images.opacity[:, 0], atol=1e-5)


def test_a_dense_ball_shows_its_own_normals_and_depth():
    rays, images = render(cameras(), ball(2000.0, 0.6))
    solid = images.opacity[:, 0] > 0.99
    toward = (images.normals[solid] * rays.directions[solid]).sum(-1)
    assert bool((toward < 0).all())
    points = rays.origins + images.depth / rays.depth_rate[:, None] * rays.directions
    assert (points[solid].norm(dim=-1) - 0.6).abs().max() < 0.01


def test_weights_of_the_samples_add_up_to_the_opacity():
    _, images = render(cameras(), ball(3.0, 0.5), samples=100)
    samples = images.samples
    opacity = torch.zeros(samples.rays).index_add(0, samples.ray, samples.weight)
    assert torch.allclose(opacity, images.opacity[:, 0], atol=1e-5)
    assert torch.allclose(samples.width, torch.full_like(samples.width, step_length(1.0, 100)))


def test_random_shifts_are_unbiased_in_the_optical_depth():
    """The mean number of samples in a chord is its length over the step, for any step."""
    view = Cameras(
        camera_to_world=torch.tensor([[[0.0, 0, -1, 3], [-1, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]]]),
        intrinsics=torch.tensor([[[1.0, 0, 0.5], [0, 1.0, 0.5], [0, 0, 1]]]),
        height=1,
        width=1,
    )
    rng, taken = torch.Generator().manual_seed(0), []
    for _ in range(400):
        _, images = render(view, ball(1.0, 0.6), samples=10, rng=rng)
        taken.append(-math.log(1 - float(images.opacity)))
    assert sum(taken) / 400 == pytest.approx(1.2, abs=4 * 0.18 / math.sqrt(400))


def test_culling_empty_cells_changes_a_picture_by_less_than_its_bound():
    """A Gaussian body, whose tail is culled where one step's opacity is below 0.001.

    A ray has at most `samples` steps, and a culled one hides at most the threshold: the opacity changes by at most
    `samples * threshold`; only steps in the shell between body and nothing are culled, so a quarter is a safe bound.
    """
    density = lambda points: 12.0 * torch.exp(-points.square().sum(-1) / (2 * 0.2**2))  # noqa: E731
    settings = OccupancySettings(resolution=32, threshold=0.001)
    occupancy = OccupancyGrid(32, 1.0)
    occupancy.update(density, settings, step_length(1.0, 128), torch.Generator().manual_seed(0))
    assert occupancy.share < 0.2  # a ball of radius 0.68 where 12 exp(-r^2 / 0.08) 0.027 > 0.001
    _, culled = render(cameras(), density, occupancy, samples=128)
    _, whole = render(cameras(), density, OccupancyGrid(1, 1.0), samples=128)
    assert len(culled.samples.ray) < 0.6 * len(whole.samples.ray)
    assert (culled.opacity - whole.opacity).abs().max() < 0.25 * 128 * 0.001
    assert (culled.features - whole.features).abs().max() < 0.25 * 128 * 0.001


def test_an_empty_scene_is_transparent():
    occupancy = OccupancyGrid(4, 1.0)
    occupancy.occupied.fill_(False)
    _, images = render(cameras(), ball(1.0, 0.5), occupancy)
    assert not images.opacity.any() and not images.depth.any() and not images.normals.any()
