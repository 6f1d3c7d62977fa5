"""Schedules: ends, flatness outside, monotony, and stretches of no length."""

from itertools import pairwise

import pytest

from lodestone.errors import SettingError
from lodestone.schedules import Constant, Cosine, Linear, Piecewise

ANNEALED = [Linear(2.0, 5.0, over=10, begin=3), Cosine(2.0, 5.0, over=10, begin=3)]


def test_a_constant_is_constant():
    assert {Constant(0.3)(step) for step in (0, 1, 10**6)} == {0.3}


@pytest.mark.parametrize("schedule", ANNEALED)
def test_ends_are_met_and_held(schedule):
    assert [schedule(step) for step in (0, 2, 3)] == [2.0] * 3
    assert [schedule(step) for step in (13, 14, 10**6)] == pytest.approx([5.0] * 3)


@pytest.mark.parametrize("schedule", ANNEALED)
def test_between_the_ends_it_only_rises(schedule):
    values = [schedule(step) for step in range(3, 14)]
    assert all(a < b for a, b in pairwise(values))


@pytest.mark.parametrize("schedule", ANNEALED)
def test_half_way_it_is_in_the_middle(schedule):
    assert schedule(8) == pytest.approx(3.5)


def test_values_by_hand():
    assert Linear(0.98, 0.5, over=300)(75) == pytest.approx(0.86)
    assert Cosine(0.0, 1.0, over=3)(1) == pytest.approx(0.25)  # (1 - cos 60) / 2


@pytest.mark.parametrize("kind", [Linear, Cosine])
def test_no_length_is_a_jump(kind):
    schedule = kind(1.0, 2.0, over=0, begin=5)
    assert [schedule(step) for step in (4, 5, 6)] == pytest.approx([1.0, 2.0, 2.0])


def test_pieces_begin_at_their_step():
    schedule = Piecewise((0, 500, 800), (0.98, 0.55, 0.3))
    assert [schedule(step) for step in (0, 499, 500, 799, 800, 10**6)] == [0.98, 0.98, 0.55, 0.55, 0.3, 0.3]


@pytest.mark.parametrize("pieces", [((0, 5), (1.0,)), ((1, 5), (1.0, 2.0)), ((0, 5, 5), (1.0, 2.0, 3.0)), ((), ())])
def test_pieces_that_make_no_sense_are_refused(pieces):
    with pytest.raises(SettingError, match="rising from 0"):
        Piecewise(*pieces)
