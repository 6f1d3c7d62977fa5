"""Guidance rescale (arXiv 2305.08891): the guided clean prediction has the spread of the conditional one."""

import pytest
import torch

from lodestone.distillation.noising import add_noise
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.weighting import SigmaOverAlpha
from lodestone.priors.denoiser import PredictionType
from lodestone.priors.guidance import guided, rescaled
from lodestone.priors.noise import NoiseSchedule
from lodestone.testing.estimator_contract import FIXED, SCHEDULE, Reparametrized, two_component_problem

SCALE = 7.5


def gradient(share, denoiser=None, scale=SCALE):
    """`x - x0'` of SDS by its weight, so that the rescaled clean prediction can be read off."""
    exact, conditioning, latents = two_component_problem(4)
    estimator = ScoreDistillation(guidance_scale=scale, guidance_rescale=share, weight=SigmaOverAlpha())
    rng = torch.Generator().manual_seed(3)
    return estimator.gradient(denoiser or exact, latents, conditioning, FIXED, rng)


def clean_predictions(share):
    """The rescaled clean prediction, the plain guided one and the conditional one, from exact scores."""
    denoiser, conditioning, latents = two_component_problem(4)
    score = gradient(share)
    noised = add_noise(latents, score.terms["noise"], score.t, denoiser.schedule)
    positive, null = (
        denoiser(noised.noisy, noised.t, part).clean for part in (conditioning.positive, conditioning.null)
    )
    return latents - score.gradient, guided(positive, null, SCALE), positive


def spread(pictures):
    return pictures.flatten(1).std(1)


def test_whole_share_gives_the_conditional_spread_to_every_sample():
    found, plain, conditional = clean_predictions(1.0)
    assert not torch.allclose(spread(plain), spread(conditional), rtol=1e-2)
    torch.testing.assert_close(spread(found), spread(conditional), rtol=1e-5, atol=0)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_published_equation(share):
    """`x' = (r std(x_y) / std(x_s) + 1 - r) x_s`."""
    found, plain, conditional = clean_predictions(share)
    factor = share * spread(conditional) / spread(plain) + 1 - share
    torch.testing.assert_close(found, factor[:, None, None, None] * plain, rtol=1e-5, atol=1e-6)


def test_no_share_is_plain_guidance_to_the_bit():
    score = gradient(0.0)
    noise = score.terms["noise"]
    plain = guided(score.terms["positive"], score.terms["null"], SCALE) - noise
    weight = SigmaOverAlpha()(score.t, SCHEDULE)[:, None, None, None]
    assert torch.equal(score.gradient, weight * plain)


def test_the_conditional_model_needs_no_rescaling():
    """At scale 1 the guided prediction is the conditional one."""
    torch.testing.assert_close(gradient(1.0, scale=1.0).gradient, gradient(0.0, scale=1.0).gradient)


@pytest.mark.parametrize("kind", PredictionType)
def test_invariance_to_prediction_type(kind):
    other = gradient(0.7, Reparametrized(two_component_problem(4)[0], kind))
    torch.testing.assert_close(other.gradient, gradient(0.7).gradient, rtol=1e-5, atol=1e-5)


def test_samples_are_rescaled_apart():
    """Each sample's factor is its own: three of them do not feel a fourth."""
    rng = torch.Generator().manual_seed(0)
    plain, positive, noisy = torch.randn(3, 4, 3, 4, 4, generator=rng, dtype=torch.float64)
    t = torch.tensor([100, 400, 400, 900])
    together = rescaled(plain, positive, noisy, t, SCHEDULE, 0.5)
    apart = [rescaled(*(part[k : k + 1] for part in (plain, positive, noisy, t)), SCHEDULE, 0.5) for k in range(4)]
    torch.testing.assert_close(together, torch.cat(apart))


def test_a_constant_guided_prediction_stays_finite():
    """Its deviation is 0, by which nothing is divided; on a flow as well."""
    schedule = NoiseSchedule.rectified_flow()
    t, noisy = torch.tensor([400]), torch.zeros(1, 3, 4, 4)
    constant, positive = torch.ones(1, 3, 4, 4), torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert rescaled(constant, positive, noisy, t, schedule, 1.0).isfinite().all()
