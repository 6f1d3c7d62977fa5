"""The two settings of SSD's own illustration: scale matching, and the control variate's coefficient."""

import pytest
import torch

from lodestone.distillation.control_variate import optimal_coefficient, projection
from lodestone.distillation.ssd import Coefficient, StableScoreDistillation, norm
from lodestone.distillation.weighting import Uniform
from lodestone.errors import SettingError
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.noise import NoiseSchedule
from lodestone.testing.estimator_contract import FIXED, EstimatorContract, two_component_problem

SCHEDULE = NoiseSchedule.scaled_linear()


def draw(estimator, batch=6, seed=3):
    denoiser, conditioning, latents = two_component_problem(batch)
    return estimator.gradient(denoiser, latents, conditioning, FIXED, torch.Generator().manual_seed(seed))


def single_gaussian(count, side=2, variance=0.25, t=400):
    """Scores of `N(0, variance I)` at many noises around one point; returns eps_y, eps and sigma^2 / v."""
    denoiser = GaussianMixture(torch.zeros(1, 1, side, side, dtype=torch.float64), variance, SCHEDULE)
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, side, side, generator=rng, dtype=torch.float64).expand(count, 1, side, side)
    noise = torch.randn(count, 1, side, side, generator=rng, dtype=torch.float64)
    times = torch.full((count,), t)
    only = component_conditioning(torch.ones(1, 1)).expand(count)
    alpha, sigma = SCHEDULE.alpha(times[:1]).double(), SCHEDULE.sigma(times[:1]).double()
    positive = denoiser(SCHEDULE.add_noise(x, noise, times), times, only).noise
    return positive, noise, float(sigma**2 / (alpha**2 * variance + sigma**2))


class TestUnmatchedSeeking(EstimatorContract):
    """Below the threshold, without scale matching."""

    def estimator(self):
        return StableScoreDistillation(threshold=0.5, matched=False, weight=Uniform())

    def mean(self, positive, null, noise):
        r = (positive * noise).sum((1, 2, 3), keepdim=True) / (noise**2).sum((1, 2, 3), keepdim=True)
        return positive - r * noise


@pytest.mark.parametrize("t", [20, 400, 900])
def test_batch_coefficient_is_the_optimal_one_on_a_single_gaussian(t):
    """c* = sigma^2 / v in four dimensions; 4,000 noises, error of the estimate about `sqrt(2 / (n d))`."""
    positive, noise, best = single_gaussian(4000, t=t)
    assert optimal_coefficient(positive, noise).tolist() == pytest.approx([best] * 4000, rel=0.05)


def test_batch_coefficient_has_the_least_variance():
    """No other multiple of the noise leaves a smaller covariance trace; the projection of each sample leaves bias."""
    positive, noise, _ = single_gaussian(4000)
    best = float(optimal_coefficient(positive, noise)[0])
    traces = [(positive - c * noise).flatten(1).var(0).sum() for c in (best - 0.1, best, best + 0.1)]
    assert traces[1] < traces[0] and traces[1] < traces[2]


def test_projection_deletes_half_of_the_signal_in_two_dimensions():
    """In d dimensions `eps_y - r eps` keeps the share (d - 1)/d of the mean that `eps_y - c* eps` keeps whole."""
    positive, noise, _ = single_gaussian(60_000, side=1)
    wide = torch.cat([positive, single_gaussian(60_000, side=1)[0].flip(0)], dim=1)  # two independent entries
    rough = torch.cat([noise, noise.flip(0)], dim=1)
    kept = (wide - projection(wide, rough)[:, None, None, None] * rough).mean(0)
    whole = (wide - optimal_coefficient(wide, rough)[:, None, None, None] * rough).mean(0)
    torch.testing.assert_close(kept, whole / 2, rtol=0.05, atol=0.0)


def test_batch_coefficient_is_what_the_estimator_subtracts():
    score = draw(StableScoreDistillation(threshold=1.0, matched=False, coefficient=Coefficient.BATCH, weight=Uniform()))
    positive = score.terms["positive"]
    rng = torch.Generator().manual_seed(3)
    torch.randint(400, 401, (6,), generator=rng)
    noise = torch.randn(positive.shape, generator=rng, dtype=positive.dtype)
    expected = positive - optimal_coefficient(positive, noise)[:, None, None, None] * noise
    torch.testing.assert_close(score.gradient, expected)


def test_the_new_settings_do_nothing_above_the_threshold():
    plain = draw(StableScoreDistillation(threshold=0.2))
    other = draw(StableScoreDistillation(threshold=0.2, matched=False, coefficient=Coefficient.BATCH))
    assert torch.equal(plain.gradient, other.gradient)


def test_matching_changes_the_length_alone():
    matched, free = (draw(StableScoreDistillation(threshold=1.0, matched=choice)) for choice in (True, False))
    directions = [score.gradient / norm(score.gradient)[:, None, None, None] for score in (matched, free)]
    torch.testing.assert_close(*directions)


def test_batch_coefficient_needs_a_batch():
    with pytest.raises(SettingError, match=r"estimator\.coefficient"):
        StableScoreDistillation(coefficient=Coefficient.BATCH).check(*two_component_problem(1)[:2], views=1)


def test_settings_survive_a_run_folder():
    chosen = StableScoreDistillation(matched=False, coefficient=Coefficient.BATCH)
    assert from_plain(StableScoreDistillation(), to_plain(chosen)) == chosen
