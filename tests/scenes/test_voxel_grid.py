"""Voxel grids: exact on linear functions, and fields like any other."""

import math
from dataclasses import replace

import pytest
import torch

from lodestone.export.isosurface import surface_of_volume
from lodestone.export.mesh_cleaning import is_closed, signed_volume
from lodestone.rendering.cameras import turntable
from lodestone.rendering.occupancy import OccupancySettings
from lodestone.scenes.field_settings import Activation, Blob, DensityBias, Normals, Space, VolumeSettings
from lodestone.scenes.voxel_grid import VoxelGridSettings

SMALL = VoxelGridSettings(
    volume=VolumeSettings(samples=24), resolution=7, occupancy=OccupancySettings(resolution=8), noise=0.0
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def points(count=64):
    return 1.6 * torch.rand(count, 3, generator=rng(1)) - 0.8


def cameras(views=2, size=8):
    return turntable(views, elevation=15.0, distance=2.5, field_of_view=45.0).cameras(size, size)


def vertices():
    """Positions of the grid's vertices in the order of the table, x fastest."""
    axis = torch.linspace(-1, 1, 7)
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    return torch.stack([x, y, z], dim=-1).reshape(-1, 3)


def test_vertices_hold_the_field_and_linear_functions_are_exact():
    settings = replace(SMALL, bias=DensityBias(shape=Blob.NONE), volume=VolumeSettings(activation=Activation.RELU))
    scene, slope = settings.create(rng()), torch.tensor([0.5, -0.25, 1.0])
    with torch.no_grad():
        scene.table[: 7**3, 0] = 5 + vertices() @ slope
        scene.table[: 7**3, 1] = vertices() @ slope.flip(0)
    p = points()
    assert torch.allclose(scene.density(p), 5 + p @ slope, atol=1e-4)
    assert torch.allclose(scene.color(p)[:, 0], (p @ slope.flip(0)).sigmoid(), atol=1e-5)
    assert torch.allclose(scene.color(p)[:, 1:], torch.full((64, 2), 0.5))
    assert torch.allclose(scene.normals(p), -torch.nn.functional.normalize(slope, dim=0).expand(64, 3), atol=1e-4)


@pytest.mark.parametrize("normals", [Normals.NONE, Normals.ANALYTIC, Normals.FINITE_DIFFERENCE])
def test_gradients_reach_every_number_of_what_is_seen(normals):
    scene = replace(SMALL, volume=replace(SMALL.volume, normals=normals)).create(rng())
    seen = scene.render(cameras(), torch.ones(2, 3), rng())
    (seen.color.sum() + (0.0 if seen.normals is None else seen.normals.sum())).backward()
    density, colors = scene.table.grad[: 7**3, 0], scene.table.grad[: 7**3, 1]
    assert bool(density.any()) and bool(colors.any()) and bool(scene.table.grad.isfinite().all())


def test_sjc_s_grid_of_latents():
    """Four latents and a density need three pairs of numbers at each vertex."""
    volume = replace(SMALL.volume, space=Space.LATENT, channels=4, stride=4)
    settings = replace(SMALL, volume=volume, bias=DensityBias(shape=Blob.NONE, offset=-1.0))
    scene = settings.create(rng())
    assert scene.table.shape == (3 * 7**3, 2)
    assert scene.render(cameras(2, 16), torch.ones(2, 3), rng()).latents.shape == (2, 4, 4, 4)


def test_a_restored_grid_is_the_same():
    scene = replace(SMALL, noise=0.1).create(rng())
    restored = SMALL.restore(scene.state_dict())
    assert torch.equal(
        scene.render(cameras(), torch.ones(2, 3)).color, restored.render(cameras(), torch.ones(2, 3)).color
    )


def test_rates_are_sjc_s():
    scene = SMALL.create(rng())
    assert [group.learning_rate for group in SMALL.parameter_groups(scene, 0.0)] == [0.05]


def test_its_surface_encloses_what_is_dense():
    """A ball of radius 0.6; silhouettes and a blur know its volume to 5 %, once the occupancy grid knows the ball."""
    volume, occupancy = VolumeSettings(samples=128, activation=Activation.RELU), OccupancySettings(resolution=32)
    grid = replace(SMALL, volume=volume, occupancy=occupancy, resolution=33, bias=DensityBias(shape=Blob.NONE))
    scene, looks = grid.create(rng()), rng()
    axis = torch.linspace(-1, 1, 33)
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    with torch.no_grad():
        scene.table[: 33**3, 0] = 3000 * (0.6 - (x * x + y * y + z * z).sqrt().flatten())
    for _ in range(16):  # each looks at one point of every cell
        scene.update_occupancy(occupancy, looks)
    mesh = surface_of_volume(scene.surface(), scene, cells=40, field_of_view=40.0)
    assert is_closed(mesh)
    assert signed_volume(mesh) == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=0.05)
