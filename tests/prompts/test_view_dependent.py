"""Which words belong to which view."""

import math

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.prompts.view_dependent import Direction, ViewWording
from lodestone.rendering.cameras import Viewpoints

F, S, B, UP = Direction.FRONT, Direction.SIDE, Direction.BACK, Direction.OVERHEAD


def viewpoints(azimuth: list[float], elevation: float = 0.0) -> Viewpoints:
    full = torch.ones(len(azimuth))
    return Viewpoints(
        azimuth=torch.tensor(azimuth), elevation=elevation * full, distance=2 * full, field_of_view=50 * full
    )


@pytest.mark.parametrize(
    ("azimuth", "expected"),
    [(0, F), (44, F), (-44, F), (46, S), (90, S), (-90, S), (134, S), (136, B), (180, B), (-180, B), (-136, B)],
)
@pytest.mark.parametrize("turns", [-2, 0, 1])
def test_azimuth_decides_below_the_overhead_view(azimuth: float, expected: Direction, turns: int) -> None:
    assert ViewWording().direction(viewpoints([azimuth + 360.0 * turns])).tolist() == [expected]


@pytest.mark.parametrize(("elevation", "expected"), [(-80, F), (59, F), (60, F), (61, UP), (90, UP)])
def test_elevation_decides_first(elevation: float, expected: Direction) -> None:
    assert ViewWording().direction(viewpoints([0.0], elevation)).tolist() == [expected]


def test_own_thresholds_and_the_whole_circle() -> None:
    wording = ViewWording(front=90.0, back=90.0)
    directions = wording.direction(viewpoints([float(angle) for angle in range(-180, 181)]))
    assert set(directions.tolist()) == {F, B}
    narrow = ViewWording(front=10.0, back=20.0, overhead=30.0)
    assert narrow.direction(viewpoints([9.0, 11.0, 159.0, 161.0])).tolist() == [F, S, S, B]


def test_words_stand_in_the_order_of_the_directions() -> None:
    words = ViewWording(overhead_suffix=" from above").word("a fox")
    assert words == ["a fox, front view", "a fox, side view", "a fox, back view", "a fox from above"]
    assert [words[direction] for direction in Direction][B] == "a fox, back view"


@pytest.mark.parametrize("change", [{"front": -1.0}, {"front": 100.0, "back": 90.0}, {"overhead": 91.0}])
def test_impossible_thresholds_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        ViewWording(**change)


def test_thresholds_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(SettingError):
        ViewWording(front=float("nan"))


@pytest.mark.parametrize(
    ("azimuth", "nearer", "share", "front", "side"),
    [
        (0.0, F, 1.0, -(4 * math.exp(-0.5) - 2.426), -1.574),
        (45.0, F, 0.5, -0.689203, -0.689203),
        (-60.0, F, 1 / 3, -0.959927, -0.440125),
        (90.0, S, 1.0, -1.573531, -0.000531),
        (135.0, S, 0.5, -1.745801, -0.172801),
        (180.0, S, 0.0, -1.967, -0.394),
    ],
)
@pytest.mark.parametrize("turns", [-1, 0, 2])
def test_perp_neg_interpolation_by_hand(azimuth, nearer, share, front, side, turns) -> None:
    """`f(r) = a exp(-b r) + c` with the published constants, and weights -f."""
    between = ViewWording().interpolate(viewpoints([azimuth + 360.0 * turns]))
    assert between.nearer.tolist() == [nearer] and between.further.tolist() == [nearer + 1]
    found = torch.stack([between.share[0], between.front[0], between.side[0]])
    torch.testing.assert_close(found, torch.tensor([share, front, side]), rtol=0, atol=2e-6)


def test_perp_neg_overhead_opposes_nothing() -> None:
    between = ViewWording().interpolate(viewpoints([0.0, 100.0, 180.0], elevation=75.0))
    assert between.nearer.tolist() == between.further.tolist() == [UP] * 3
    assert between.share.tolist() == [1.0] * 3
    assert not between.front.any() and not between.side.any()


def test_perp_neg_has_no_seam() -> None:
    """From front to side to back the text and the front's weight are continuous; every weight pushes away."""
    between = ViewWording().interpolate(viewpoints([89.99, 90.0, -90.0, 90.01]))
    place = between.nearer + 1 - between.share  # 0 front, 1 side, 2 back
    torch.testing.assert_close(place, torch.ones(4), rtol=0, atol=2e-4)
    torch.testing.assert_close(between.front, torch.full((4,), -1.5737), rtol=0, atol=4e-4)
    torch.testing.assert_close(between.side, torch.zeros(4), rtol=0, atol=1e-3)
    everywhere = ViewWording().interpolate(viewpoints([float(angle) for angle in range(-180, 181)]))
    assert (everywhere.front < 0).all() and (everywhere.side < 0).all()
    assert (everywhere.share >= 0).all() and (everywhere.share <= 1).all()
