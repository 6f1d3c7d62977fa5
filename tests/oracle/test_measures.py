"""What a descent is judged by, against closed forms."""

import math

import pytest
import torch

from lodestone.oracle.measures import (
    contrast,
    coverage,
    distances,
    entropy,
    judge,
    log_density_gap,
    nearest,
    noise_to_signal,
    saturation,
)
from lodestone.oracle.problems import off_axis, picture_problem, points, ring, trap


def test_at_the_modes_nothing_is_missing():
    """At the centres of well-separated components: no distance, no gap, full coverage, the largest entropy."""
    problem = ring()
    figures = judge(problem, problem.modes)
    assert figures["distance"] == 0.0 and figures["coverage"] == figures["arrived"] == 1.0
    assert figures["gap"] == pytest.approx(0.0, abs=1e-9)
    assert figures["entropy"] == pytest.approx(math.log(4))


def test_gap_is_half_the_squared_mahalanobis_distance():
    """`||x - mu||^2 alpha^2 / (2 v d)` near one of two components that are far apart; d = 2."""
    problem = trap()
    schedule, x = problem.denoiser.schedule, points([(-1.2, 0.1)])
    alpha, sigma = float(schedule.alphas[0]), float(schedule.sigmas[0])
    v = alpha**2 * 0.02 + sigma**2
    assert float(log_density_gap(problem, x)[0]) == pytest.approx(alpha**2 * 0.05 / (2 * v) / 2, rel=1e-4)


def test_distance_is_euclidean_in_the_plane_and_a_root_mean_square_for_pictures():
    plane = distances(trap(), points([(-1.0, 0.5)]))
    torch.testing.assert_close(plane, torch.tensor([[0.5, math.hypot(2.0, 0.5)]], dtype=torch.float64))
    pictures = picture_problem("one", ("teapot",), every=600)
    shifted = distances(pictures, pictures.modes[:1] + 0.25)
    assert float(shifted[0, 0]) == pytest.approx(0.25, rel=1e-5)


def test_a_components_own_samples_are_about_near():
    """`near` is the root mean square distance of samples; 4,000 of them."""
    rng = torch.Generator().manual_seed(0)
    for problem in (trap(), off_axis(), ring()):
        scale = problem.denoiser.variances[0].sqrt()
        noise = torch.randn(4000, 1, 1, 2, generator=rng, dtype=torch.float64)
        samples = problem.modes[:1] + scale * noise
        root = distances(problem, samples)[:, 0].square().mean().sqrt()
        assert float(root) == pytest.approx(problem.near, rel=0.03)


def test_coverage_counts_modes_not_particles():
    problem = ring()
    crowd = torch.cat([problem.modes[:1]] * 3 + [problem.modes[2:3], points([(0.0, 0.0)])])
    assert coverage(problem, crowd) == 0.5
    assert coverage(problem, points([(0.0, 0.0)])) == 0.0


def test_entropy_of_one_mode_is_zero_and_of_two_halves_log_two():
    problem = ring()
    assert entropy(problem, torch.cat([problem.modes[:1]] * 4)) == 0.0
    assert entropy(problem, torch.cat([problem.modes[:2]] * 4)) == pytest.approx(math.log(2))
    assert nearest(problem, problem.modes).tolist() == [0, 1, 2, 3]


def test_saturation_and_contrast():
    """White that jitters within one of 255 levels does not count; contrast is a ratio of standard deviations."""
    assert saturation(torch.tensor([[[[1.005, -1.1, 0.0, 2.0]]]])) == 0.5
    problem = picture_problem("one", ("teapot",), every=600)
    mode = problem.modes[:1]
    assert contrast(problem, mode) == pytest.approx(1.0)
    stretched = mode.mean() + 1.5 * (mode - mode.mean())
    assert contrast(problem, stretched) == pytest.approx(1.5, rel=1e-5)


def test_noise_to_signal_of_a_known_law():
    """Mean (3, 0), unit covariance in two dimensions: 2 / 9; a law without mean is infinite or very large."""
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(20_000, 1, 1, 2, generator=rng, dtype=torch.float64)
    assert noise_to_signal(noise + points([(3.0, 0.0)])) == pytest.approx(2 / 9, rel=0.03)
    assert noise_to_signal(noise) > 1000
    assert noise_to_signal(points([(3.0, 0.0)]).expand(5, -1, -1, -1)) == 0.0
