"""Weights turn a residual of noise into the papers' residuals of pictures and velocities; g can be clipped."""

import math

import pytest
import torch

from lodestone.distillation.estimator import surrogate_loss
from lodestone.distillation.noising import add_noise
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.step_settings import StepSettings
from lodestone.distillation.timesteps import UniformTimes
from lodestone.distillation.weighting import (
    InverseAlpha,
    PowerOfAlphaSigma,
    SigmaOverAlpha,
    SigmaSquared,
    Uniform,
)
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.priors.analytic import GaussianMixture
from lodestone.priors.guidance import guided
from lodestone.priors.noise import NoiseSchedule
from lodestone.schedules import Constant, Linear
from lodestone.testing.estimator_contract import FIXED, two_component_problem

WEIGHTS = [SigmaSquared(), Uniform(), SigmaOverAlpha(0.05), InverseAlpha(), PowerOfAlphaSigma(1.0, 2.0)]
SCHEDULES = {"diffusion": NoiseSchedule.scaled_linear(), "flow": NoiseSchedule.rectified_flow()}


def on_schedule(schedule, batch=4):
    """The two-component problem with another noise schedule."""
    denoiser, conditioning, latents = two_component_problem(batch)
    means = denoiser.means.unflatten(1, denoiser.latent_shape)
    return GaussianMixture(means, denoiser.variances, schedule), conditioning, latents


def gradient_and_predictions(estimator, schedule):
    """An estimator's g, its noise, and what the exact model predicts for prompt and null at the same noised latents."""
    denoiser, conditioning, latents = on_schedule(schedule)
    score = estimator.gradient(denoiser, latents, conditioning, FIXED, torch.Generator().manual_seed(3))
    noised = add_noise(latents, score.terms["noise"], score.t, schedule)
    parts = (conditioning.positive, conditioning.null)
    return score.gradient, noised, [denoiser(noised.noisy, noised.t, part) for part in parts]


@pytest.mark.parametrize("scale", [1.0, 7.5])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_sigma_over_alpha_is_the_residual_of_clean_pictures(schedule, scale):
    """Identity I1: `(sigma / alpha) (eps_s - eps) = x - x0hat_s`."""
    sds = ScoreDistillation(guidance_scale=scale, weight=SigmaOverAlpha())
    gradient, noised, (positive, null) = gradient_and_predictions(sds, schedule)
    expected = noised.clean - guided(positive.clean, null.clean, scale)
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 7.5])
def test_inverse_alpha_is_the_residual_of_velocities_on_a_flow(scale):
    """Identity I2: `(eps_s - eps) / (1 - tau) = uhat_s - u` with `u = eps - x`."""
    sds = ScoreDistillation(guidance_scale=scale, weight=InverseAlpha())
    gradient, noised, (positive, null) = gradient_and_predictions(sds, SCHEDULES["flow"])
    expected = guided(positive.flow, null.flow, scale) - (noised.noise - noised.clean)
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("weight", WEIGHTS, ids=repr)
def test_weights_are_positive_up_to_the_end_of_a_flow(weight):
    """A rectified flow ends at alpha = 0."""
    schedule = SCHEDULES["flow"]
    values = weight(torch.arange(schedule.length), schedule)
    assert values.shape == (schedule.length,) and values.isfinite().all() and (values > 0).all()
    denoiser, conditioning, latents = on_schedule(schedule)
    end = StepSettings(step=0, steps=1, window=(999, 999))
    score = ScoreDistillation(weight=weight).gradient(denoiser, latents, conditioning, end, torch.Generator())
    assert score.gradient.isfinite().all()
    assert from_plain(weight, to_plain(weight)) == weight


def test_powers_contain_the_named_weights():
    schedule = SCHEDULES["diffusion"]
    t = torch.arange(schedule.length)
    bar = schedule.alpha(t) ** 2
    for powers, expected in {
        (0.0, 0.0): Uniform()(t, schedule),
        (0.0, 2.0): SigmaSquared()(t, schedule),
        (-1.0, 1.0): SigmaOverAlpha()(t, schedule),
        (-1.0, 0.0): InverseAlpha()(t, schedule),
        (1.0, 2.0): bar.sqrt() * (1 - bar),  # Fantasia3D
        (2.0, -2.0): bar / (1 - bar),  # signal-to-noise ratio
    }.items():
        torch.testing.assert_close(PowerOfAlphaSigma(*powers)(t, schedule), expected, rtol=1e-4, atol=1e-6)


def test_scale_of_the_clean_residual():
    t, schedule = torch.arange(1000), SCHEDULES["diffusion"]
    torch.testing.assert_close(SigmaOverAlpha(0.05)(t, schedule), 0.05 * SigmaOverAlpha()(t, schedule))


def clipped(limit, step):
    denoiser, conditioning, latents = two_component_problem(4)
    estimator = ScoreDistillation(guidance_scale=1000.0, weight=Uniform(), score_clip=limit)
    settings = StepSettings(step=step, steps=1000, window=(400, 400))
    return estimator.gradient(denoiser, latents, conditioning, settings, torch.Generator().manual_seed(3)).gradient


@pytest.mark.parametrize(("step", "limit"), [(0, 2.0), (500, 5.0), (1000, 8.0), (5000, 8.0)])
def test_score_clip_clamps_every_entry_and_rises(step, limit):
    """Debiased SDS; threestudio's hint [0, 2, 8, 1000] is a line from 2 to 8 over 1,000 steps."""
    free, bound = clipped(Constant(0.0), step), clipped(Linear(2.0, 8.0, over=1000), step)
    assert free.abs().max() > 8
    assert torch.equal(bound, free.clamp(-limit, limit))
    assert float(bound.abs().max()) == limit


def test_no_clip_and_a_wide_clip_change_nothing():
    assert torch.equal(clipped(Constant(0.0), 0), clipped(Constant(1e9), 0))


def test_clip_comes_after_the_weight():
    """The limit belongs to g itself, whatever the weight."""
    problem = two_component_problem(4)
    for weight in (Uniform(), SigmaOverAlpha(100.0)):
        estimator = ScoreDistillation(guidance_scale=1000.0, weight=weight, score_clip=Constant(0.5))
        denoiser, conditioning, latents = problem
        score = estimator.gradient(denoiser, latents, conditioning, FIXED, torch.Generator().manual_seed(3))
        assert float(score.gradient.abs().max()) == 0.5
        leaf = latents.clone().requires_grad_()
        surrogate_loss(leaf, score).backward()
        assert float(leaf.grad.abs().max()) == 0.5 / 4


def test_weights_are_those_of_the_times_drawn():
    """With weight w(t), g is w(t) times the g of weight 1, sample by sample."""
    denoiser, conditioning, latents = two_component_problem(6)
    step = StepSettings(step=0, steps=1, window=(20, 980))
    one, two = (
        ScoreDistillation(weight=weight, times=UniformTimes()).gradient(
            denoiser, latents, conditioning, step, torch.Generator().manual_seed(3)
        )
        for weight in (Uniform(), SigmaOverAlpha())
    )
    ratio = (two.gradient / one.gradient).flatten(1)
    expected = [math.sqrt((1 - a**2) / a**2) for a in denoiser.schedule.alpha(one.t).double().tolist()]
    torch.testing.assert_close(ratio, torch.tensor(expected)[:, None].double().expand_as(ratio), rtol=1e-3, atol=0)
