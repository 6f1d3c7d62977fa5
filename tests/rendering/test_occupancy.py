"""What the occupancy grid keeps, forgets and stores."""

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.rendering.occupancy import OccupancyGrid, OccupancySettings

STEP = 0.05


def ball(radius):
    return lambda points: 20.0 * (points.norm(dim=-1) < radius).float()


def updated(density, settings=None, times=1, resolution=16):
    grid, rng = OccupancyGrid(resolution, 1.0), torch.Generator().manual_seed(0)
    for _ in range(times):
        grid.update(density, settings or OccupancySettings(resolution=resolution), STEP, rng)
    return grid


def centres(resolution=16):
    axis = (torch.arange(resolution) + 0.5) / resolution * 2 - 1
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)


def test_everything_is_occupied_before_the_first_update():
    assert OccupancyGrid(4, 1.0).share == 1.0


def test_cells_inside_a_ball_are_occupied_and_those_outside_are_not():
    """A cell's half diagonal is 0.11; the random point decides in between."""
    grid, distance = updated(ball(0.6)), centres().norm(dim=-1)
    assert bool(grid.occupied[distance < 0.6 - 0.11].all())
    assert not bool(grid.occupied[distance > 0.6 + 0.11].any())


def test_what_disappears_is_forgotten_as_fast_as_the_decay_says():
    """An opacity of 0.63 in a step falls below the threshold 0.01 when 20 * 0.05 * 0.5^k < 0.01: k = 7."""
    settings = OccupancySettings(resolution=8, decay=0.5)
    grid, rng = OccupancyGrid(8, 1.0), torch.Generator().manual_seed(0)
    grid.update(lambda p: torch.full((len(p),), 20.0), settings, STEP, rng)
    corner_only = lambda p: 20.0 * (p > 0.75).all(-1).float()  # keeps the mean above nothing  # noqa: E731
    for age in range(1, 9):
        grid.update(corner_only, settings, STEP, rng)
        opacity = 1 - torch.exp(torch.tensor(-20.0 * 0.5**age * STEP))
        expected = bool(opacity > 1 - torch.exp(-grid.density * STEP).mean()) or bool(opacity > 0.01)
        assert bool(grid.occupied[0, 0, 0]) is expected


def test_a_faint_scene_does_not_vanish():
    """All cells are far below the threshold: those above the mean stay."""
    grid = updated(lambda p: 1e-4 * (1 + p[:, 0]))
    assert 0.3 < grid.share < 0.7


def test_the_state_is_in_the_state_dict_and_updates_are_reproducible():
    one, other = updated(ball(0.5), times=3), updated(ball(0.5), times=3)
    assert torch.equal(one.density, other.density)
    fresh = OccupancyGrid(16, 1.0)
    fresh.load_state_dict(one.state_dict())
    assert torch.equal(fresh.occupied, one.occupied) and torch.equal(fresh.density, one.density)


@pytest.mark.parametrize("setting", [{"resolution": 0}, {"decay": 1.5}, {"threshold": -1.0}, {"every": -1}])
def test_wrong_settings_are_named(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        OccupancySettings(**setting)


def test_a_grid_that_is_never_updated_keeps_every_cell_and_knows_the_first_density():
    grid = updated(ball(0.5), OccupancySettings(resolution=16, every=0))
    assert grid.share == 1.0 and float(grid.density.max()) == 20.0


def test_updates_come_in_their_rhythm():
    assert [step for step in range(40) if OccupancySettings(every=16).due(step)] == [15, 31]
    assert not any(OccupancySettings(every=0).due(step) for step in range(40))
