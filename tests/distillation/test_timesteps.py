"""Every law of the diffusion time: its frequencies, its ends, its window."""

import itertools
import math

import pytest
import torch

from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.step_settings import StepSettings
from lodestone.distillation.timesteps import (
    LinearTimes,
    PriorWeightedTimes,
    SquareRootTimes,
    StratifiedTimes,
    UniformTimes,
)
from lodestone.errors import SettingError
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.priors.noise import NoiseSchedule
from lodestone.testing.estimator_contract import two_component_problem

SCHEDULE = NoiseSchedule.scaled_linear()
RANDOM = [UniformTimes(), UniformTimes(shared=True), StratifiedTimes()]
DESCENDING = [LinearTimes(), SquareRootTimes(), PriorWeightedTimes()]


def at(index, steps=100, window=(20, 980)):
    return StepSettings(step=index, steps=steps, window=window)


def times(law, step, count=1, seed=0):
    return law.sample(count, step, SCHEDULE, torch.Generator().manual_seed(seed))


def descent(law, steps, window=(20, 980)):
    """The time of every step of a plan."""
    return [int(times(law, at(index, steps, window))) for index in range(steps)]


def chi_square(drawn, low, high):
    """`sum (observed - expected)^2 / expected` of a uniform law; high - low degrees of freedom."""
    observed = torch.bincount(drawn - low, minlength=high - low + 1).double()
    expected = len(drawn) / (high - low + 1)
    return float(((observed - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("law", RANDOM + DESCENDING, ids=repr)
@pytest.mark.parametrize("window", [(0, 999), (400, 400), (20, 23), (0, 0), (999, 999)])
def test_every_law_stays_in_its_window(law, window):
    for index in (0, 1, 50, 99):
        drawn = times(law, at(index, window=window), count=64, seed=index)
        assert drawn.shape == (64,) and not drawn.is_floating_point()
        assert window[0] <= int(drawn.min()) and int(drawn.max()) <= window[1]


@pytest.mark.parametrize("law", RANDOM + DESCENDING, ids=repr)
def test_same_generator_same_times(law):
    assert torch.equal(times(law, at(7), count=16, seed=5), times(law, at(7), count=16, seed=5))


@pytest.mark.parametrize("law", RANDOM + DESCENDING, ids=repr)
def test_every_law_serves_an_estimator_and_a_run_folder(law):
    denoiser, conditioning, latents = two_component_problem(3)
    rng = torch.Generator().manual_seed(0)
    score = ScoreDistillation(times=law).gradient(denoiser, latents, conditioning, at(30), rng)
    assert score.t.shape == (3,) and score.gradient.isfinite().all()
    assert from_plain(law, to_plain(law)) == law


@pytest.mark.parametrize("law", [UniformTimes(), StratifiedTimes()], ids=repr)
def test_uniform_frequencies_with_both_ends(law):
    """Chi-square of 20,000 draws, of the stratified law one per batch; 5 sigma above its 19 degrees of freedom."""
    if isinstance(law, StratifiedTimes):
        rng = torch.Generator().manual_seed(0)
        drawn = torch.cat([law.sample(4, at(0, window=(20, 39)), SCHEDULE, rng)[2:3] for _ in range(4_000)])
    else:
        drawn = times(law, at(0, window=(20, 39)), count=20_000)
    assert chi_square(drawn, 20, 39) < 19 + 5 * math.sqrt(2 * 19)


def test_shared_times_are_one_draw():
    drawn = times(UniformTimes(shared=True), at(0), count=8)
    assert len(set(drawn.tolist())) == 1
    assert int(drawn[0]) == int(times(UniformTimes(), at(0)))


def test_stratified_times_take_every_time_equally_often_in_one_batch():
    drawn = times(StratifiedTimes(), at(0, window=(20, 39)), count=40, seed=3)
    assert torch.equal(torch.bincount(drawn - 20), torch.full((20,), 2))


def test_stratified_batches_vary_less_in_their_mean():
    """Of b = 8 times on n places the mean has variance n^2 / 12 b if they are independent, n^2 / 12 b^2 stratified."""
    rng = torch.Generator().manual_seed(0)
    means = {
        law: torch.stack([law.sample(8, at(0), SCHEDULE, rng).double().mean() for _ in range(1_000)]).var()
        for law in (UniformTimes(), StratifiedTimes())
    }
    independent = 961**2 / (12 * 8)
    # A variance of 1,000 draws is known to within 5 sqrt(2 / 1000), that is 23 %.
    assert means[UniformTimes()] == pytest.approx(independent, rel=0.23)
    assert means[StratifiedTimes()] == pytest.approx(independent / 8, rel=0.23)


@pytest.mark.parametrize("law", DESCENDING, ids=repr)
@pytest.mark.parametrize("steps", [1, 7, 400])
def test_descents_begin_at_the_upper_end_and_never_rise(law, steps):
    descended = descent(law, steps)
    assert descended[0] == 980
    assert all(later <= earlier for earlier, later in itertools.pairwise(descended))
    assert len(set(times(law, at(steps // 2, steps), count=5).tolist())) == 1


@pytest.mark.parametrize("law", DESCENDING, ids=repr)
def test_descents_use_no_randomness(law):
    rng = torch.Generator().manual_seed(0)
    before = rng.get_state()
    law.sample(4, at(3), SCHEDULE, rng)
    assert torch.equal(before, rng.get_state())


def test_linear_descent_by_hand():
    assert descent(LinearTimes(), 4, (20, 980)) == [980, 740, 500, 260]
    assert times(LinearTimes(), at(9_999, 10_000, (250, 980))).tolist() == [250]


def test_square_root_descent_by_hand():
    """`980 - 680 sqrt(i / N)`: halfway down after a quarter of the steps."""
    descended = descent(SquareRootTimes(), 400, (300, 980))
    assert descended[100] == 640 and descended[4] == 912 and descended[-1] == 301


def published_weights(window, schedule, m1=800, m2=500, s1=300, s2=100):
    """DreamTime's W, written out for one time after the other."""
    weights = []
    for t in range(window[0], window[1] + 1):
        bar, u = float(schedule.alphas[t]) ** 2, t * 1000 / schedule.length
        prior = math.exp(-((u - m1) ** 2) / (2 * s1**2)) if u > m1 else 1.0
        prior = math.exp(-((u - m2) ** 2) / (2 * s2**2)) if u < m2 else prior
        weights.append(math.sqrt((1 - bar) / bar) * prior)
    return torch.tensor(weights, dtype=torch.float64) / sum(weights)


@pytest.mark.parametrize("length", [1000, 200])
def test_prior_weights_are_the_published_ones(length):
    schedule = NoiseSchedule.scaled_linear(length=length)
    window = (length // 50, length - 5)
    torch.testing.assert_close(
        PriorWeightedTimes().weights(window, schedule), published_weights(window, schedule), rtol=1e-4, atol=0
    )


def test_prior_weighted_times_last_as_long_as_their_weight():
    """The share of steps at or above each time is the weight there, to half a time's weight and one step."""
    steps, window = 1_500, (20, 980)
    weights = published_weights(window, SCHEDULE)
    counts = torch.bincount(torch.tensor(descent(PriorWeightedTimes(), steps)) - 20, minlength=961).double()
    behind = [part.flip(0).cumsum(0).flip(0) for part in (counts / steps, weights)]
    assert (behind[0] - behind[1]).abs().max() < weights.max() / 2 + 1 / steps
    # Total variation over 31 stretches of 31 times each: each edge is off by that much at most.
    total_variation = (counts / steps - weights).unflatten(0, (31, 31)).sum(1).abs().sum() / 2
    assert total_variation < 31 * (weights.max() / 2 + 1 / steps)


def test_prior_weighted_times_spend_little_where_weights_are_small():
    descended = descent(PriorWeightedTimes(), 500)
    below_300 = sum(t < 300 for t in descended) / 500
    assert below_300 == pytest.approx(float(published_weights((20, 980), SCHEDULE)[:280].sum()), abs=2 / 500)
    assert min(descended) > 20  # times of almost no weight pass between two steps


def test_prior_weighted_times_far_from_their_peak():
    """A window where every weight underflows, and a schedule that ends at alpha = 0."""
    narrow = PriorWeightedTimes(s2=1.0)
    assert times(narrow, at(0, window=(0, 100))).tolist() == [100]
    flow = NoiseSchedule.rectified_flow()
    drawn = PriorWeightedTimes().sample(1, at(1, window=(0, 999)), flow, torch.Generator())
    assert 0 <= int(drawn) <= 999


def test_impossible_weights_are_refused():
    with pytest.raises(SettingError, match=r"estimator\.times\.m2 is 900"):
        PriorWeightedTimes(m2=900.0)
    with pytest.raises(SettingError, match=r"estimator\.times\.s1"):
        PriorWeightedTimes(s1=0.0)
