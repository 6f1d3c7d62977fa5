"""Samples on rays stand where they should; the native kernel and its twin take the same ones."""

import math

import pytest
import torch

from lodestone.kernels.native_kernel import Implementation
from lodestone.kernels.ray_marching import march
from lodestone.kernels.ray_marching_reference import cell_of, span_in_cube
from lodestone.rendering.cameras import turntable
from lodestone.rendering.rays import rays_of

BOTH = [Implementation.REFERENCE, Implementation.NATIVE]
FULL = torch.ones(4, 4, 4, dtype=torch.bool)


def along_x(offset, implementation, occupied=FULL, step=0.1, shift=0.5):
    origin = torch.tensor([[-3.0, offset, 0.0]])
    direction = torch.tensor([[1.0, 0.0, 0.0]])
    return march(origin, direction, torch.tensor([shift]), occupied, 1.0, step, implementation)


@pytest.mark.parametrize("implementation", BOTH)
def test_samples_fill_the_cube_at_equal_distances(implementation):
    samples = along_x(0.05, implementation)
    assert len(samples) == 20
    assert torch.allclose(samples.distance, 2.05 + 0.1 * torch.arange(20), atol=1e-5)
    assert torch.allclose(samples.position[:, 0], samples.distance - 3, atol=1e-6)
    assert torch.equal(samples.position[:, 1], torch.full((20,), 0.05))


@pytest.mark.parametrize("implementation", BOTH)
def test_a_ray_beside_the_cube_has_no_samples(implementation):
    assert len(along_x(1.5, implementation)) == 0
    behind = march(torch.tensor([[3.0, 0, 0]]), torch.tensor([[1.0, 0, 0]]), torch.tensor([0.5]), FULL, 1.0, 0.1)
    assert len(behind) == 0


@pytest.mark.parametrize("implementation", BOTH)
def test_empty_cells_get_no_samples(implementation):
    occupied = torch.zeros(4, 4, 4, dtype=torch.bool)
    occupied[2, 2, 2] = True  # x, y, z in [0, 0.5)
    samples = along_x(0.05, implementation, occupied)
    assert torch.allclose(samples.position[:, 0], 0.05 + 0.1 * torch.arange(5), atol=1e-5)


@pytest.mark.parametrize("step", [0.5, 0.037, 0.004])
def test_native_and_twin_take_the_same_samples(step):
    """Up to samples within rounding of a cell's face."""
    rays = rays_of(turntable(3, elevation=20.0, distance=2.0, field_of_view=60.0).cameras(9, 13))
    rng = torch.Generator().manual_seed(0)
    shift, occupied = torch.rand(len(rays), generator=rng), torch.rand(8, 8, 8, generator=rng) < 0.3
    taken = [
        {
            (ray, round(distance / step - float(first)))
            for ray, distance, first in zip(
                samples.ray.tolist(), samples.distance.tolist(), (shift[samples.ray]).tolist(), strict=True
            )
        }
        for samples in (
            march(rays.origins, rays.directions, shift, occupied, 0.7, step, implementation) for implementation in BOTH
        )
    ]
    assert len(taken[0] ^ taken[1]) <= 0.002 * len(taken[0]) + 2


def test_native_samples_do_not_depend_on_the_number_of_threads():
    rays = rays_of(turntable(2, elevation=20.0, distance=2.0, field_of_view=60.0).cameras(16, 16))
    shift, before, results = torch.full((len(rays),), 0.3), torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(march(rays.origins, rays.directions, shift, FULL, 0.7, 0.05, Implementation.NATIVE))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(vars(results[0]).values(), vars(results[1]).values(), strict=True))


@pytest.mark.parametrize("implementation", BOTH)
def test_samples_are_packed_ray_after_ray_from_near_to_far(implementation):
    rays = rays_of(turntable(2, elevation=20.0, distance=2.0, field_of_view=60.0).cameras(8, 8))
    shift = torch.full((len(rays),), 0.5)
    samples = march(rays.origins, rays.directions, shift, FULL, 0.7, 0.1, implementation)
    assert torch.equal(samples.ray, torch.repeat_interleave(torch.arange(len(rays)), samples.offsets.diff()))
    same = samples.ray[1:] == samples.ray[:-1]
    assert bool((samples.distance.diff()[same] > 0).all())
    assert bool((samples.position.abs() <= 0.7 + 1e-5).all())
    expected = rays.origins[samples.ray] + samples.distance[:, None] * rays.directions[samples.ray]
    assert torch.allclose(samples.position, expected, atol=1e-5)


def test_spans_are_exact():
    origins = torch.tensor([[-3.0, 0.2, 0.1], [0.0, 0.0, 0.0], [-3.0, 0.0, 0.0]], dtype=torch.float64)
    diagonal = 1 / math.sqrt(3)
    directions = torch.tensor([[1.0, 0.0, 0.0], [diagonal] * 3, [0.0, 1.0, 0.0]], dtype=torch.float64)
    near, far = span_in_cube(origins, directions, 1.0)
    assert torch.allclose(near[:2], torch.tensor([2.0, 0.0], dtype=torch.float64))
    assert torch.allclose(far[:2], torch.tensor([4.0, math.sqrt(3)], dtype=torch.float64))
    assert near[2] >= far[2]


def test_cells_are_numbered_with_x_slowest():
    points = torch.tensor([[-0.9, -0.9, -0.9], [-0.9, -0.9, 0.9], [0.9, -0.9, -0.9], [5.0, 5.0, 5.0]])
    assert cell_of(points, 1.0, 2).tolist() == [0, 1, 4, 7]
