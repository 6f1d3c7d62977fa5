"""Parts of an estimator against time."""

from dataclasses import replace

import pytest
import torch

from lodestone.oracle.problems import simplex, trap
from lodestone.oracle.terms import PLACES, TermCurves, correlation, measure, parts, vanishing_time
from lodestone.priors.analytic import GaussianMixture


def noise_for(problem, count=256):
    rng = torch.Generator().manual_seed(5)
    return torch.randn(count, *problem.start.shape[1:], generator=rng, dtype=problem.start.dtype)


def test_correlation_of_a_thing_with_itself_and_with_noise():
    rng = torch.Generator().manual_seed(0)
    first, second = (torch.randn(5000, 1, 2, 2, generator=rng, dtype=torch.float64) for _ in range(2))
    assert correlation(first, 3 * first + 1) == pytest.approx(1.0)
    assert correlation(first, -first) == pytest.approx(-1.0)
    assert correlation(first, second) == pytest.approx(0.0, abs=0.05)
    assert correlation(first, first + second) == pytest.approx(0.5**0.5, abs=0.03)


def test_projection_is_a_proxy_in_high_dimension_alone():
    """Within 0.1 of c* at d = 4096; off by more than 1 at d = 2, at the same times."""
    for t in (100, 200, 300):
        high, low = (parts(problem, noise_for(problem, 64), t) for problem in (simplex(64), simplex(1, channels=2)))
        assert high["best"] - high["r_low"] < 0.1 and high["r_high"] - high["best"] < 0.1
        assert low["best"] - low["r_low"] > 1.0


def test_parts_of_a_single_gaussian():
    """`eps_y = sigma (x_t - alpha mu) / v` at its centre: c* = sigma^2 / v, correlation 1, and no h at all."""
    base = trap()
    single = GaussianMixture(base.modes[:1], 0.02, base.denoiser.schedule)
    problem = replace(base, denoiser=single, included=torch.ones(1).double(), start=base.modes[:1])
    found = parts(problem, noise_for(problem), 300)
    alpha, sigma = (float(table[300]) for table in (single.schedule.alphas, single.schedule.sigmas))
    best = sigma**2 / (alpha**2 * 0.02 + sigma**2)
    assert found["correlation"] == pytest.approx(1.0) and found["disengaging"] == 0.0
    assert found["r_low"] == pytest.approx(best) and found["r_high"] == pytest.approx(best)
    assert found["best"] == pytest.approx(best, rel=0.2)  # 256 noises in two dimensions: 1 / sqrt(256)


def test_h_vanishes_at_small_times_once_x_is_nearer_to_the_prompts_mode():
    problem = trap()
    at_mode = replace(problem, start=problem.modes[:1])
    noise = noise_for(problem)
    assert parts(at_mode, noise, 5)["disengaging"] < 1e-5 < 0.1 < parts(problem, noise, 5)["disengaging"]


def test_vanishing_time_is_the_end_of_an_unbroken_stretch():
    zeros = [0.0] * 4
    curves = TermCurves([20, 40, 60, 80], [1.0] * 4, [0.0, 1e-5, 0.2, 0.0], zeros, zeros, zeros, zeros, zeros, zeros)
    assert vanishing_time(curves) == 40
    assert vanishing_time(replace(curves, disengaging=[0.1, 0.0, 0.0, 0.0])) is None


def test_measuring_is_repeatable_and_covers_the_times():
    first, again = (measure("plane, at the start", spacing=320, noises=8) for _ in range(2))
    assert first == again and first.t == [20, 340, 660, 980]
    assert len(first.r_mean) == 4 and "pictures, halfway" in PLACES
