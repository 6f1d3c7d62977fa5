"""Refinement has no score gradient, so the contract is held to the gradient of its image term.

Where pictures and latents are the same and the loss is `||x - target||^2 / 2`, that is `x - target`.
"""

from dataclasses import replace

import pytest
import torch

from lodestone.distillation.refinement import ImageRefinement
from lodestone.distillation.step_settings import StepSettings
from lodestone.distillation.timesteps import UniformTimes
from lodestone.errors import SettingError
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.priors.noise import over_batch
from lodestone.priors.sampling import refine
from lodestone.testing.estimator_contract import (
    SCHEDULE,
    AbstractEstimatorContract,
    CountingDenoiser,
    complete_problem,
    point_problem,
)


class TestImageRefinement(AbstractEstimatorContract):
    """From t = 400 three of 8 sampler steps, written out."""

    calls = 6
    forwards = 3
    negative = False

    def estimator(self):
        return ImageRefinement(guidance_scale=4.0, sampler_steps=8)

    def gradient(self, denoiser, conditioning, latents):
        score = super().gradient(denoiser, conditioning, latents)
        assert score.image_term is not None and not score.gradient.any()
        return replace(score, gradient=latents.detach() - score.image_term.target)

    def weight(self, t):
        return torch.ones(1, 1, 1, 1, dtype=torch.float64)

    def bracket(self, exact):
        noised, known = exact.noised, exact.conditioning
        for now, then in ((400, 267), (267, 133), (133, 0)):
            noised = replace(noised, t=torch.full_like(noised.t, now))
            noise = 4 * exact.predict(known.positive, noised) - 3 * exact.predict(known.null, noised)
            alpha, sigma = (over_batch(table(noised.t).double()) for table in (SCHEDULE.alpha, SCHEDULE.sigma))
            clean = (noised.noisy - sigma * noise) / alpha
            later = torch.full_like(noised.t, then)
            noisy = over_batch(SCHEDULE.alpha(later)) * clean + over_batch(SCHEDULE.sigma(later)) * noise
            noised = replace(noised, noisy=noisy)
        return exact.noised.clean - clean


def draw(estimator, problem, step):
    denoiser, conditioning, latents = problem
    return estimator.gradient(denoiser, latents, conditioning, step, torch.Generator().manual_seed(3))


def test_target_is_the_priors_image_to_image_sample():
    """The same noise, noised and denoised by `refine`."""
    denoiser, conditioning, latents = problem = complete_problem(4)
    step = StepSettings(step=0, steps=10, window=(50, 200))
    score = draw(ImageRefinement(guidance_scale=5.0), problem, step)
    rng = torch.Generator().manual_seed(3)
    strength = 200 / (denoiser.schedule.length - 1)
    expected = refine(denoiser, latents, conditioning, strength=strength, steps=10, guidance_scale=5.0, rng=rng)
    assert score.image_term is not None and score.image_term.weight == 1.0
    torch.testing.assert_close(score.image_term.target, expected)


def test_strength_falls_and_takes_its_steps_along():
    """DreamGaussian's 50 steps from 0.2 to 0.05: ten sampler steps at first, three at last, two calls each."""
    denoiser, conditioning, latents = complete_problem(2)
    for number, (t, calls) in {0: (200, 20), 25: (125, 12), 49: (53, 6)}.items():
        counter = CountingDenoiser(denoiser)
        step = StepSettings(step=number, steps=50, window=(50, 200))
        score = draw(ImageRefinement(), (counter, conditioning, latents), step)
        assert score.t.tolist() == [t, t] and score.denoiser_calls == calls and counter.samples == 2 * calls


def test_what_the_prior_shows_already_stays():
    problem = point_problem(3)
    score = draw(ImageRefinement(guidance_scale=7.0), problem, StepSettings(step=0, steps=1, window=(200, 200)))
    assert score.image_term is not None
    torch.testing.assert_close(score.image_term.target, problem[2], rtol=0, atol=1e-6)


def test_times_that_differ_are_refused():
    with pytest.raises(SettingError, match="choose times that are shared"):
        draw(
            ImageRefinement(times=UniformTimes()), complete_problem(4), StepSettings(step=0, steps=1, window=(20, 980))
        )
    with pytest.raises(SettingError, match=r"estimator\.sampler_steps"):
        ImageRefinement(sampler_steps=0)


def test_run_folders_can_hold_it():
    row = ImageRefinement(guidance_scale=3.0)
    assert from_plain(row, to_plain(row)) == row
