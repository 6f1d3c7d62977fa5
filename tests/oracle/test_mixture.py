"""SSD's illustration, with fewer and longer steps: who is trapped, who leaves, who stays."""

import pytest

from lodestone.oracle.descent import Descent, Rule, descend
from lodestone.oracle.measures import distances
from lodestone.oracle.mixture import TOYS, contestants, follow

QUICK = Descent(steps=250, particles=16, rule=Rule.SGD, rate=0.32, record_every=5)
"""As far as the toy's own 4,000 steps of 0.02."""

ASKED = (
    "mode-seeking",
    "mode-disengaging",
    *(f"SSD, M = {m}" for m in ("300, unmatched", "300, matched", "200, matched")),
)


@pytest.fixture(scope="module")
def ends():
    """The smallest and the last distance of the mean to the nearest conditional mode, by contestant."""
    problem = TOYS["trap"]().problem
    found = {}
    for name, contestant in contestants().items():
        if name in ASKED:
            path = descend(contestant.estimator, problem, QUICK, seed=0)
            means = [float(distances(problem, latents.mean(0, keepdim=True)).min()) for latents in path.positions]
            found[name] = (min(means), means[-1])
    return found


def test_mode_seeking_is_trapped_between_the_modes(ends):
    closest, last = ends["mode-seeking"]
    assert last == pytest.approx(1.0, abs=0.1) and closest > 0.4


def test_mode_disengaging_passes_by_a_mode_and_leaves(ends):
    closest, last = ends["mode-disengaging"]
    assert closest < 0.2 and last > 1.7


def test_unmatched_ssd_reaches_a_mode(ends):
    assert ends["SSD, M = 300, unmatched"][1] < 0.3


def test_scale_matching_breaks_the_toy(ends):
    """The seeking term is scaled to an h that has vanished: the closer M is to 0, the more it is h alone."""
    assert ends["SSD, M = 300, matched"][1] > ends["SSD, M = 300, unmatched"][1] + 0.4
    assert ends["SSD, M = 200, matched"][1] > ends["SSD, M = 300, matched"][1] + 0.4


def test_a_track_has_the_numbers_of_its_descent():
    track = follow("trap", "mode-disengaging from the trap", seed=0, shortened=40)
    assert track.steps == [0, 20, 40] and len(track.distance) == len(track.mean_path) == 3
    assert track.mean_path[0] == [0.0, 0.0] and track.distance[0] == pytest.approx(1.0)
    assert len(track.particle_paths) == 6 and len(track.particle_paths[0]) == 3


def test_every_time_is_shared_by_the_batch():
    """c* is one number for the whole batch and therefore needs one time for it."""
    assert all(contestant.estimator.times.shared for contestant in contestants().values())
