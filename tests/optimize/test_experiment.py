"""What a plan evaluates at each step."""

import pytest

from lodestone.errors import SettingError
from lodestone.optimize.experiment import Plan
from lodestone.priors.noise import NoiseSchedule
from lodestone.schedules import Constant, Linear

SCHEDULE = NoiseSchedule.scaled_linear()


def test_the_window_of_times_is_annealed():
    plan = Plan(steps=10, smallest_time=Constant(0.1), largest_time=Linear(0.9, 0.5, over=4))
    assert [plan.settings(step, SCHEDULE).window for step in (0, 2, 4, 9)] == [
        (100, 900),
        (100, 700),
        (100, 500),
        (100, 500),
    ]


def test_the_whole_schedule_can_be_drawn():
    plan = Plan(smallest_time=Constant(0.0), largest_time=Constant(1.0))
    assert plan.settings(0, SCHEDULE).window == (0, 999)


def test_a_window_that_closes_later_is_refused_at_once():
    with pytest.raises(SettingError, match=r"plan\.smallest_time is 0\.5 .* at step 4"):
        Plan(steps=5, smallest_time=Constant(0.5), largest_time=Linear(0.9, 0.4, over=4))


def test_a_window_that_closes_after_the_last_step_does_not_matter():
    assert Plan(steps=4, smallest_time=Constant(0.5), largest_time=Linear(0.9, 0.4, over=4)).steps == 4


@pytest.mark.parametrize("largest", [-0.1, 1.1, float("nan")])
def test_times_outside_the_schedule_are_refused(largest):
    with pytest.raises(SettingError, match="choose both from 0 to 1"):
        Plan(largest_time=Constant(largest))
