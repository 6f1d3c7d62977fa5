"""Which words belong to which view."""

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
