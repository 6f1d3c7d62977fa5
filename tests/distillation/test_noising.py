"""Noising policies against flows, walks and textures that are known exactly."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from lodestone.distillation.inversion import DDIMInversion, step_back
from lodestone.distillation.ism import IntervalScoreMatching
from lodestone.distillation.noising import IndependentNoise
from lodestone.distillation.reversal import PredictedNoise
from lodestone.distillation.sdi import ScoreDistillationInversion
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.vfds import VelocityFlowDistillation
from lodestone.distillation.view_consistent import ViewConsistentNoise, texel
from lodestone.distillation.weighting import SigmaOverAlpha
from lodestone.errors import SettingError
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.guidance import guided
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import ConditioningSet, VisibleSurface
from lodestone.rendering.cameras import Viewpoints
from lodestone.storage import load_tensors, save_tensors
from lodestone.testing.estimator_contract import (
    FIXED,
    AbstractEstimatorContract,
    CountingDenoiser,
    complete_problem,
    two_component_problem,
)

POLICIES = {
    "independent": IndependentNoise(),
    "null walk": DDIMInversion(stride=150, last_step=50),
    "walk that begins noised": DDIMInversion(stride=150, last_step=50, begin=200),
    "random walk": DDIMInversion(stride=100, most_steps=10, overshoot=100, guidance_scale=-1.0, stochasticity=0.3),
    "predicted": PredictedNoise(),
    "sticky": ViewConsistentNoise(gamma=0.3),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def remembering(policy, conditioning, clean):
    """The conditioning with what the policy keeps, drawn anew."""
    return replace(conditioning, noise_memory=policy.memory(tuple(clean.shape[1:]), generator(11)))


def noised_by(policy, problem, t, seed=0):
    denoiser, conditioning, clean = problem
    return policy(clean, t, denoiser, remembering(policy, conditioning, clean), generator(seed))


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_every_policy_returns_clean_latents_and_noise_that_make_up_the_noisy_ones(policy):
    problem, t = two_component_problem(4), torch.tensor([3, 120, 400, 980])
    noised, schedule = noised_by(policy, problem, t), problem[0].schedule
    assert torch.equal(noised.clean, problem[2]) and torch.equal(noised.t, t)
    torch.testing.assert_close(noised.noisy, schedule.add_noise(noised.clean, noised.noise, t), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_the_same_generator_gives_the_same_noise(policy):
    problem, t = two_component_problem(4), torch.tensor([3, 120, 400, 980])
    first, second = (noised_by(policy, problem, t, seed=5) for _ in range(2))
    assert torch.equal(first.noise, second.noise) and torch.equal(first.noisy, second.noisy)


@pytest.mark.parametrize(
    ("policy", "calls"),
    [
        (IndependentNoise(), 0),
        (PredictedNoise(), 1),
        (ViewConsistentNoise(), 0),
        (DDIMInversion(stride=200, last_step=50), 3),  # at 0, 200, 350
        (DDIMInversion(stride=1000, last_step=50), 2),  # at 0, 350
        (DDIMInversion(stride=100, most_steps=10, guidance_scale=1.0), 4),  # at 0, 100, 200, 300
        (DDIMInversion(stride=100, most_steps=2), 2),  # at 0, 200: two steps in all
        (DDIMInversion(stride=100, most_steps=10, overshoot=50, guidance_scale=-6.5), 8),
        (DDIMInversion(stride=200, last_step=500), 1),  # s = 0
    ],
)
def test_promised_denoiser_calls(policy, calls):
    denoiser, conditioning, clean = two_component_problem(3)
    counter = CountingDenoiser(denoiser)
    noised = noised_by(policy, (counter, conditioning, clean), torch.full((3,), 400))
    assert counter.samples == 3 * calls and noised.denoiser_calls == calls


# The inversion.


def gaussian(schedule, variance=0.25):
    """N(0.4, variance) under any condition, and one sample."""
    denoiser = GaussianMixture(torch.full((1, 1, 2, 2), 0.4, dtype=torch.float64), variance, schedule)
    only = component_conditioning(torch.ones(1, 1))
    clean = torch.tensor([[[[1.0, -1.0], [0.3, 2.0]]]], dtype=torch.float64)
    return denoiser, ConditioningSet(positive=only, null=only), clean


def flow_of_the_gaussian(clean, t, schedule, variance=0.25):
    """The probability-flow ODE from time 0: `x_t - alpha mu = (x - mu) sqrt((alpha^2 s^2 + sigma^2) / s^2)`."""
    alpha, sigma = schedule.alpha(t).double(), schedule.sigma(t).double()
    return alpha * 0.4 + (clean - 0.4) * ((alpha**2 * variance + sigma**2) / variance).sqrt()


def walk(stride, problem, t):
    return noised_by(DDIMInversion(stride=stride, most_steps=1000), problem, torch.tensor([t]))


def test_the_inversion_converges_to_the_flow_in_first_order():
    """Halving the stride halves the error; 120 steps of the flow x_tau = (1 - tau) x + tau eps leave below 0.014."""
    problem, t = gaussian(NoiseSchedule.rectified_flow()), 600
    exact = flow_of_the_gaussian(problem[2], torch.tensor([t]), problem[0].schedule)
    errors = [float((walk(stride, problem, t).noisy - exact).abs().max()) for stride in (40, 20, 10, 5)]
    assert errors[-1] < 0.014
    assert all(1.9 < coarse / fine < 2.1 for coarse, fine in pairwise(errors))


def test_the_inversion_converges_on_stable_diffusions_schedule():
    problem = gaussian(NoiseSchedule.scaled_linear())
    exact = flow_of_the_gaussian(problem[2], torch.tensor([600]), problem[0].schedule)
    errors = [float((walk(stride, problem, 600).noisy - exact).abs().max()) for stride in (40, 20, 10, 5)]
    assert all(1.8 < coarse / fine < 2.2 for coarse, fine in pairwise(errors)) and errors[-1] < 0.04


def sampled_back(noisy, times, denoiser, conditioning):
    """DDIM sampling down the given times, which end with the clean prediction."""
    for now, earlier in zip(times, [*times[1:], None], strict=True):
        prediction = denoiser(noisy, torch.tensor([now]), conditioning.positive)
        if earlier is None:
            return prediction.clean
        noisy = denoiser.schedule.add_noise(prediction.clean, prediction.noise, torch.tensor([earlier]))
    raise AssertionError


def test_sampling_from_what_the_inversion_found_returns_the_start():
    """There and back again on a mixture; the error of the round trip falls in proportion to the stride."""
    denoiser, conditioning, clean = two_component_problem(1)
    policy, errors = DDIMInversion(guidance_scale=1.0, most_steps=1000), []
    for stride in (64, 32, 16, 8):
        found = noised_by(replace(policy, stride=stride), (denoiser, conditioning, clean), torch.tensor([512]))
        back = sampled_back(found.noisy, range(512, -1, -stride), denoiser, conditioning)
        errors.append(float((back - clean).abs().max()))
    assert all(1.6 < coarse / fine < 2.4 for coarse, fine in pairwise(errors))
    assert errors[-1] < 0.15


def test_a_walk_of_one_step_takes_the_noise_predicted_for_the_clean_picture():
    denoiser, conditioning, clean = two_component_problem(2)
    found = noised_by(DDIMInversion(stride=1000), (denoiser, conditioning, clean), torch.tensor([700, 30]))
    predicted = denoiser(clean, torch.tensor([0, 0]), conditioning.null).noise
    torch.testing.assert_close(found.noise, predicted)


def test_each_sample_walks_its_own_way():
    """Times that need 1, 3 and 6 steps in one batch: as if each sample were alone."""
    (denoiser, conditioning, clean), t = two_component_problem(3), torch.tensor([20, 250, 600])
    policy = DDIMInversion(stride=100, most_steps=10, guidance_scale=2.0)
    counter = CountingDenoiser(denoiser)
    together = noised_by(policy, (counter, conditioning, clean), t)
    assert counter.samples == 2 * (1 + 3 + 6) and together.denoiser_calls == 2 * 6
    for row in range(3):
        only = replace(
            conditioning, positive=conditioning.positive.take(torch.tensor([row])), null=null_row(conditioning)
        )
        alone = noised_by(policy, (denoiser, only, clean[row : row + 1]), t[row : row + 1])
        torch.testing.assert_close(alone.noisy[0], together.noisy[row], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(alone.earlier.noise[0], together.earlier.noise[row], rtol=1e-9, atol=1e-9)


def null_row(conditioning):
    return conditioning.null.take(torch.tensor([0]))


def test_the_earlier_point_is_where_the_network_was_asked_last():
    denoiser, conditioning, clean = two_component_problem(3)
    t = torch.tensor([30, 50, 400])
    noised = noised_by(DDIMInversion(stride=200, last_step=50), (denoiser, conditioning, clean), t)
    earlier = noised.earlier
    assert earlier.t.tolist() == [0, 0, 350]
    torch.testing.assert_close(earlier.noise, denoiser(earlier.noisy, earlier.t, conditioning.null).noise)
    step = denoiser.schedule.add_noise(earlier.clean, earlier.noise, t)
    torch.testing.assert_close(noised.noisy, step, rtol=1e-6, atol=1e-6)


def test_a_deterministic_walk_ignores_the_generator():
    problem, t = two_component_problem(2), torch.tensor([400, 700])
    policy = DDIMInversion(stride=100, most_steps=10, guidance_scale=-1.0)
    assert torch.equal(noised_by(policy, problem, t, seed=1).noise, noised_by(policy, problem, t, seed=2).noise)
    shaken = replace(policy, stochasticity=0.3)
    assert not torch.equal(noised_by(shaken, problem, t, seed=1).noise, noised_by(shaken, problem, t, seed=2).noise)


def test_each_step_adds_a_share_of_the_step_backs_deviation():
    """Two steps, of which the first leaves a clean picture and adds nothing: kappa has deviation eta s / sigma with
    `s^2 = (1 - abar_s) / (1 - abar_t) (1 - abar_t / abar_s)`; 20,000 draws, 5 standard errors."""
    count, schedule = 20_000, NoiseSchedule.scaled_linear()
    denoiser, conditioning, clean = gaussian(schedule)
    rows = torch.zeros(count, dtype=torch.long)
    told = replace(conditioning, positive=conditioning.positive.take(rows), null=conditioning.null.take(rows))
    policy = DDIMInversion(stride=100, stochasticity=0.3)
    found = noised_by(policy, (denoiser, told, clean.expand(count, -1, -1, -1)), torch.full((count,), 200)).noise
    bar, bar_later = (schedule.alpha(torch.tensor([time])).double() ** 2 for time in (100, 200))
    deviation = ((1 - bar) / (1 - bar_later) * (1 - bar_later / bar)).sqrt()
    torch.testing.assert_close(step_back(torch.tensor([100]), torch.tensor([200]), schedule).double(), deviation)
    expected = float(0.3 * deviation / (1 - bar_later).sqrt())
    assert found.std(0).flatten().tolist() == pytest.approx([expected] * 4, rel=5 / math.sqrt(2 * count))


def test_a_walk_may_begin_with_fresh_noise_and_never_goes_back():
    denoiser, conditioning, clean = two_component_problem(4)
    t, policy = torch.tensor([30, 150, 300, 700]), DDIMInversion(stride=200, last_step=50, begin=200)
    earlier = noised_by(policy, (denoiser, conditioning, clean), t, seed=5).earlier
    assert earlier.t.tolist() == [0, 100, 250, 650]
    rng = generator(5)
    torch.randint(1, t.shape, generator=rng)  # what overshoots is drawn first
    noise = torch.randn(clean.shape, generator=rng, dtype=clean.dtype)
    begun = denoiser.schedule.add_noise(clean, noise, torch.tensor([0, 100, 200, 200]))
    torch.testing.assert_close(earlier.noisy[:2], begun[:2].to(clean.dtype))
    here = denoiser(begun[2:3].to(clean.dtype), torch.tensor([200]), null_row(conditioning))
    onward = denoiser.schedule.add_noise(here.clean, here.noise, torch.tensor([250]))
    torch.testing.assert_close(earlier.noisy[2:3], onward.to(clean.dtype), rtol=1e-6, atol=1e-6)


def test_an_overshooting_walk_uses_at_t_the_noise_of_t_plus_d():
    problem = two_component_problem(1)
    found = noised_by(DDIMInversion(stride=100, overshoot=100), problem, torch.tensor([400]), seed=3)
    d = int(torch.randint(100, (1,), generator=generator(3)))
    beyond = noised_by(DDIMInversion(stride=100, last_step=100 + d), problem, torch.tensor([400 + d]))
    assert d > 0
    torch.testing.assert_close(found.noise, beyond.noise, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["stride", "most_steps", "last_step", "begin", "overshoot"])
def test_a_walk_longer_than_the_schedule_is_refused_before_it_begins(name):
    problem = two_component_problem(1)
    estimator = IntervalScoreMatching(noising=DDIMInversion(**{name: 1001}))
    with pytest.raises(SettingError, match=rf"estimator\.noising\.{name} is 1001, but .* 1000 times: choose at most"):
        estimator.check(*problem[:2], views=1)
    IntervalScoreMatching(noising=DDIMInversion(**{name: 1000})).check(*problem[:2], views=1)


def test_settings_out_of_range_are_refused_by_name():
    for settings in ({"stride": 0}, {"most_steps": 0}, {"last_step": -1}, {"stochasticity": 1.5}):
        with pytest.raises(SettingError, match=rf"estimator\.noising\.{next(iter(settings))}"):
            DDIMInversion(**settings)
    for settings in ({"gamma": 1.5}, {"density": 0}, {"opacity": -0.1}):
        with pytest.raises(SettingError, match=rf"estimator\.noising\.{next(iter(settings))}"):
            ViewConsistentNoise(**settings)


# The estimators that live from an inversion.


class TestIntervalScoreMatching(AbstractEstimatorContract):
    """At 400: the walk asks at 0, 200 and 350."""

    calls = 5

    def estimator(self):
        return IntervalScoreMatching()

    def bracket(self, exact):
        return 7.5 * exact.positive - 6.5 * exact.negative - exact.noised.earlier.noise


class TestScoreDistillationInversion(AbstractEstimatorContract):
    """At 400: the walk asks twice at 0, 100, 200 and 300."""

    calls = 10

    def estimator(self):
        return ScoreDistillationInversion()

    def bracket(self, exact):
        return 8.5 * exact.positive - 7.5 * exact.negative - exact.noise


def test_the_walk_of_ism_written_out():
    """0, 200, 350, 400 under the empty prompt; a negative prompt plays no part."""
    denoiser, conditioning, clean = complete_problem(4)
    noise = denoiser(clean, times(0, 4), conditioning.null).noise
    noisy = denoiser.schedule.add_noise(clean, noise, times(200, 4))
    for now, later in ((200, 350), (350, 400)):
        prediction = denoiser(noisy, times(now, 4), conditioning.null)
        noisy = denoiser.schedule.add_noise(prediction.clean, prediction.noise, times(later, 4))
    found = noised_by(IntervalScoreMatching().noising, (denoiser, conditioning, clean), times(400, 4))
    torch.testing.assert_close(found.noisy, noisy, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.earlier.noise, prediction.noise, rtol=1e-6, atol=1e-6)


def test_the_walk_of_sdi_written_out_without_its_randomness():
    """0, 100, 200, 300, 400, guided with scale -6.5, that is `7.5 eps_null - 6.5 eps_y`."""
    denoiser, conditioning, noisy = problem = two_component_problem(4)
    for now in (0, 100, 200, 300):
        positive, null = (
            denoiser(noisy, times(now, 4), part).noise for part in (conditioning.positive, conditioning.null)
        )
        noise, (alpha, sigma) = 7.5 * null - 6.5 * positive, scales(denoiser.schedule, now)
        clean = (noisy - sigma * noise) / alpha if now else noisy
        noisy = denoiser.schedule.add_noise(clean, noise, times(now + 100, 4))
    policy = replace(ScoreDistillationInversion().noising, overshoot=0, stochasticity=0.0)
    found, (alpha, sigma) = noised_by(policy, problem, times(400, 4)), scales(denoiser.schedule, 400)
    torch.testing.assert_close(found.noise, (noisy - alpha * problem[2]) / sigma, rtol=1e-5, atol=1e-5)


def times(t, count):
    return torch.full((count,), t)


def scales(schedule, t):
    return float(schedule.alphas[t]), float(schedule.sigmas[t])


def test_published_constants_of_the_inversions():
    ism, sdi = IntervalScoreMatching(), ScoreDistillationInversion()
    assert (ism.guidance_scale, sdi.guidance_scale) == (7.5, 8.5)
    assert ism.noising == DDIMInversion(stride=200, most_steps=5, last_step=50, guidance_scale=0.0)
    assert (sdi.noising.guidance_scale, sdi.noising.stochasticity, sdi.noising.overshoot) == (-6.5, 0.3, 100)


def test_sdi_moves_the_picture_to_its_own_clean_prediction():
    """I1: `g = x - x0hat(x_t; eps_s)`, whatever the noise."""
    denoiser, conditioning, latents = two_component_problem(4)
    estimator = ScoreDistillationInversion(guidance_scale=2.0)
    score = estimator.gradient(denoiser, latents, conditioning, FIXED, generator(3))
    schedule, terms = denoiser.schedule, score.terms
    alpha, sigma = (table(score.t)[:, None, None, None].double() for table in (schedule.alpha, schedule.sigma))
    noisy = alpha * latents + sigma * terms["noise"]
    predicted = (noisy - sigma * guided(terms["positive"], terms["null"], 2.0)) / alpha
    torch.testing.assert_close(score.gradient, latents - predicted, rtol=1e-5, atol=1e-5)
    assert score.denoiser_calls == 2 + 2 * 4


def test_ism_without_guidance_vanishes_with_its_interval():
    """`eps(x_t) - eps(x_s)` along the flow is of the order of t - s: halving the interval halves it."""
    denoiser, conditioning, latents = two_component_problem(4)
    estimator = IntervalScoreMatching(guidance_scale=0.0)
    norms = []
    for interval in (40, 20, 10):
        noising = DDIMInversion(stride=10, most_steps=100, last_step=interval)
        score = replace(estimator, noising=noising).gradient(denoiser, latents, conditioning, FIXED, generator())
        norms.append(float(score.gradient.norm()))
    assert all(1.7 < wide / narrow < 2.3 for wide, narrow in pairwise(norms))


def test_ism_refuses_noise_without_an_earlier_point():
    with pytest.raises(SettingError, match="ISM compares with: choose an inversion"):
        IntervalScoreMatching(noising=IndependentNoise()).check(*two_component_problem(1)[:2], views=1)


# Predicted noise.


def test_predicted_noise_is_the_reversal_step_of_a_flow():
    """RFDS-Rev: `eps' = eps + (1 - tau)(v_y(x_tau) - (eps - x))` with `v` the velocity of the flow, at every time."""
    _, conditioning, clean = two_component_problem(4)
    schedule = NoiseSchedule.rectified_flow()
    denoiser = GaussianMixture(torch.randn(2, 3, 4, 4, generator=generator(7), dtype=torch.float64), 0.3, schedule)
    t = torch.tensor([20, 400, 700, 999])
    tau, noise = (
        schedule.sigma(t)[:, None, None, None],
        torch.randn(clean.shape, generator=generator(5), dtype=clean.dtype),
    )
    velocity = denoiser((1 - tau) * clean + tau * noise, t, conditioning.positive).flow
    expected = noise + (1 - tau) * (velocity - (noise - clean))
    found = noised_by(PredictedNoise(), (denoiser, conditioning, clean), t, seed=5)
    torch.testing.assert_close(found.noise[:3], expected[:3], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.noisy[3], found.noise[3])  # at tau = 1 nothing of the picture is left


def test_predicted_noise_of_a_known_picture_is_the_noise_that_was_drawn():
    """Where the prior knows the picture exactly, the prediction is right and nothing changes; on a VP schedule too."""
    _, conditioning, _ = two_component_problem(3)
    means = torch.randn(2, 3, 4, 4, generator=generator(7), dtype=torch.float64)
    denoiser = GaussianMixture(means, 1e-12, NoiseSchedule.scaled_linear())
    problem, t = (denoiser, conditioning, means[:1].expand(3, -1, -1, -1)), torch.tensor([20, 400, 900])
    drawn, found = (noised_by(policy, problem, t, seed=5) for policy in (IndependentNoise(), PredictedNoise()))
    torch.testing.assert_close(found.noise, drawn.noise, rtol=1e-6, atol=1e-6)


def test_rfds_rev_is_vfds_with_a_third_call():
    denoiser, conditioning, latents = two_component_problem(2)
    estimator = VelocityFlowDistillation(noising=PredictedNoise())
    assert estimator.gradient(denoiser, latents, conditioning, FIXED, generator()).denoiser_calls == 3


# Noise that sticks to the object.


class TestConsistentFlowDistillation(AbstractEstimatorContract):
    """CFD: SDS with noise that stays."""

    def estimator(self):
        return ScoreDistillation(guidance_scale=7.0, noising=ViewConsistentNoise(gamma=0.0), weight=SigmaOverAlpha())

    def filled(self, denoiser, conditioning, latents):
        return remembering(ViewConsistentNoise(), conditioning, latents)

    def bracket(self, exact):
        return 7 * exact.positive - 6 * exact.negative - exact.noise


def orbit(azimuth, size, elevation=10.0):
    full = torch.ones(len(azimuth))
    angles = {"azimuth": torch.tensor(azimuth), "elevation": elevation * full}
    return Viewpoints(**angles, distance=3 * full, field_of_view=25 * full).cameras(size, size)


def ball(cameras, radius=0.5):
    """Where the cameras see a ball around the origin."""
    eye = cameras.camera_to_world[:, None, None, :3, 3]
    ray = torch.nn.functional.normalize(
        cameras.points(torch.ones(len(cameras), cameras.height, cameras.width, 1)) - eye, dim=-1
    )
    along = -(ray * eye).sum(-1, keepdim=True)
    inside = along.square() - eye.square().sum(-1, keepdim=True) + radius**2
    return VisibleSurface(points=eye + (along - inside.clamp(min=0).sqrt()) * ray, opacity=(inside > 0).float())


def stuck(surface, size, channels=3, seed=0, **settings):
    """Noise of each view of a surface, `v c h w`; channels are independent draws."""
    policy = ViewConsistentNoise(gamma=0.0, **settings)
    clean = torch.zeros(len(surface.points), channels, size, size)
    memory = policy.memory((channels, size, size), generator(seed))
    return policy.attached(memory, surface, clean)


def test_the_map_of_the_sphere_keeps_areas():
    """200,000 uniform directions over 16 x 16 texels: chi squared of 255 degrees of freedom, 5 standard deviations."""
    directions = torch.randn(200_000, 3, generator=generator())
    count, expected = torch.bincount(texel(directions, 16)[0], minlength=256), 200_000 / 256
    assert len(count) == 256
    assert float(((count - expected) ** 2 / expected).sum()) == pytest.approx(255, abs=5 * math.sqrt(2 * 255))


def test_the_map_of_the_sphere_is_continuous_above_the_seam_and_knows_directions_alone():
    """Across the equator too; below it, the planes x = 0 and y = 0 are cut open. Lengths do not matter."""
    directions = torch.nn.functional.normalize(torch.randn(4_000, 3, generator=generator()), dim=-1)
    whole = (directions[:, 2] > 0.02) | (directions[:, :2].abs().amin(1) > 0.02)
    close = directions + 2e-3 * torch.randn(directions.shape, generator=generator(1)).clamp(-2, 2)
    (here, _), (there, _), (far, _) = (texel(points, 64) for points in (directions, close, 5 * directions))
    assert ((here // 64 - there // 64).abs().maximum((here % 64 - there % 64).abs()))[whole].max() <= 2
    assert torch.equal(here, far)


def test_noise_of_a_view_is_white_and_normal_in_every_pixel():
    """Covariance of 12 x 12 pixels, some without surface, over 4,000 draws: the identity to 5.5 standard errors."""
    draws = 4_000
    noise = stuck(ball(orbit([30.0], 24)), 12, channels=draws)[0].flatten(1)
    assert noise.mean(0).abs().max() < 5.5 / math.sqrt(draws)
    covariance = noise.T @ noise / draws
    assert (covariance - torch.eye(144)).fill_diagonal_(0).abs().max() < 5.5 / math.sqrt(draws)
    assert (covariance.diagonal() - 1).abs().max() < 5.5 * math.sqrt(2 / draws)


@pytest.mark.parametrize("density", [1, 3])
def test_noise_has_variance_one_however_coarse_the_texture(density):
    """Ten percent and more of the pixels share texels with others at density 1; 16 x 64 x 64 entries, 5 errors."""
    noise = stuck(ball(orbit([0.0], 64)), 64, channels=16, density=density)
    assert float(noise.var()) == pytest.approx(1.0, abs=5 * math.sqrt(2 / noise.numel()))


def test_turned_pictures_of_the_same_surface_have_the_same_noise():
    """A camera that is rolled by a quarter turn sees the picture turned by it; 64 draws of 500 pixels."""
    seen = ball(orbit([40.0], 32))
    turned = VisibleSurface(points=seen.points.rot90(1, (1, 2)), opacity=seen.opacity.rot90(1, (1, 2)))
    first, second = stuck(seen, 32, channels=64), stuck(turned, 32, channels=64).rot90(-1, (2, 3))
    surface = seen.opacity[0, ..., 0] > 0
    assert float((first - second)[..., surface].square().mean()) < 0.02


def test_two_views_share_noise_as_far_as_they_share_surface():
    """Views 5 degrees apart: a pixel and the one that sees its centre's point overlap by `(1 - |dx|)(1 - |dy|)`."""
    size, azimuth = 64, [0.0, 5.0]
    cameras, noise = orbit(azimuth, size), stuck(ball(orbit(azimuth, size)), size, channels=48)
    seen = ball(cameras)
    front = (seen.opacity[0, ..., 0] > 0) & ((seen.points[0] @ cameras.camera_to_world[0, :3, 3]) > 0.5)
    local = (
        torch.linalg.inv(cameras.camera_to_world[1])
        @ torch.cat([seen.points[0][front], torch.ones(int(front.sum()), 1)], 1).T
    )
    pixel = cameras.intrinsics[1] @ local[:3]
    pixel = pixel[:2] / pixel[2]
    column, row = pixel.floor().long()
    correlation = (noise[0][:, front] * noise[1][:, row, column]).mean()
    overlap = (1 - (pixel - pixel.floor() - 0.5).abs()).prod(0).mean()
    assert float(correlation) == pytest.approx(float(overlap), abs=0.05) and correlation > 0.5


def test_different_surface_points_have_independent_noise():
    """Front and back of the ball: nothing in common; 5 standard errors."""
    seen = ball(orbit([0.0, 180.0], 32, elevation=0.0))
    noise, surface = stuck(seen, 32, channels=64), (seen.opacity[0, ..., 0] > 0)
    products = noise[0][:, surface] * noise[1][:, surface]
    assert abs(float(products.mean())) < 5 / math.sqrt(products.numel())


def test_what_is_transparent_stands_still_behind_the_object():
    """Pixels without an opaque neighbour; opaque ones have noise of their own in each view."""
    seen = ball(orbit([0.0, 90.0], 32))
    seen = replace(seen, opacity=0.05 + 0.95 * seen.opacity)
    noise, opacity = stuck(seen, 32), seen.opacity[..., 0]
    behind = ViewConsistentNoise().memory((3, 32, 32), generator())[:, -32 * 32 :].view(3, 32, 32)
    outside = torch.nn.functional.max_pool2d(opacity[:, None], 3, 1, 1)[:, 0].amax(0) < 0.1
    inside = (opacity > 0.1).all(0)
    assert outside.sum() > 100 and inside.sum() > 100
    assert torch.equal(noise[:, :, outside], behind[:, outside].expand(2, -1, -1))
    assert not torch.isclose(noise[0], noise[1])[:, inside].any()


def test_a_finer_rendering_of_the_same_surface_has_nearly_the_same_noise():
    """64 x 64 and 16 x 16 pixels on 16 x 16 latents: between the coarse pixels the ball is a polyhedron."""
    coarse, fine = (stuck(ball(orbit([20.0], size)), 16, channels=64) for size in (16, 64))
    middle = (slice(None), slice(None), slice(6, 10), slice(6, 10))
    assert float((coarse * fine)[middle].mean()) > 0.85


def renewed(gamma, steps, particles=4, size=32):
    """Noise of flat particles over some steps with one memory."""
    policy = ViewConsistentNoise(gamma=gamma)
    denoiser, conditioning, _ = two_component_problem(particles)
    clean, t = torch.zeros(particles, 3, size, size), torch.full((particles,), 400)
    told, rng = remembering(policy, conditioning, clean), generator(1)
    return torch.stack([policy(clean, t, denoiser, told, rng).noise for _ in range(steps)])


def test_noise_is_autoregressive():
    """Correlation after k steps is sqrt(1 - gamma)^k; 12,288 entries, 5 standard errors; the variance stays 1."""
    noise = renewed(gamma=0.2, steps=8).flatten(1)
    error = 5 / math.sqrt(noise.shape[1])
    for k in range(8):
        assert float((noise[0] * noise[k]).mean()) == pytest.approx(0.8 ** (k / 2), abs=error * math.sqrt(2))
    assert float(noise[-1].var()) == pytest.approx(1.0, abs=error * math.sqrt(2))


def test_gamma_of_one_is_fresh_noise_and_gamma_of_zero_none():
    fresh, still = renewed(gamma=1.0, steps=2).flatten(1), renewed(gamma=0.0, steps=2)
    assert abs(float((fresh[0] * fresh[1]).mean())) < 5 / math.sqrt(fresh.shape[1])
    assert float(fresh.mean()) == pytest.approx(0.0, abs=5 / math.sqrt(fresh.numel()))
    assert float(fresh.var()) == pytest.approx(1.0, abs=5 * math.sqrt(2 / fresh.numel()))
    assert torch.equal(still[0], still[1])


def test_flat_particles_have_a_stretch_of_the_memory_each():
    noise = renewed(gamma=0.0, steps=1)[0]
    memory = ViewConsistentNoise().memory((3, 32, 32), generator(11))
    for particle in range(4):
        assert torch.equal(noise[particle].flatten(1), memory[:, 1024 * particle : 1024 * (particle + 1)])


def test_more_flat_particles_than_the_memory_has_room_for_are_refused_with_the_remedy():
    """Density 3 has room for 9 + 1 pictures; 17 need density 5."""
    renewed(gamma=0.0, steps=1, particles=10, size=4)
    with pytest.raises(SettingError, match=r"density is too small for 17 flat particles: choose at least 5"):
        renewed(gamma=0.0, steps=1, particles=17, size=4)


def test_the_memory_is_changed_in_place_and_survives_a_file(tmp_path):
    policy, (denoiser, conditioning, clean) = ViewConsistentNoise(gamma=0.5), two_component_problem(2)
    told, t = remembering(policy, conditioning, clean), torch.tensor([100, 400])
    before = told.noise_memory.clone()
    policy(clean, t, denoiser, told, generator(1))
    assert not torch.equal(told.noise_memory, before)
    save_tensors(tmp_path / "memory.safetensors", {"noise_memory": told.noise_memory}, {})
    loaded = replace(told, noise_memory=load_tensors(tmp_path / "memory.safetensors")[0]["noise_memory"])
    here, there = (policy(clean, t, denoiser, known, generator(2)).noise for known in (told, loaded))
    assert torch.equal(here, there) and torch.equal(told.noise_memory, loaded.noise_memory)


def test_sticky_noise_without_a_memory_is_refused():
    denoiser, conditioning, clean = two_component_problem(1)
    with pytest.raises(SettingError, match=r"there is no memory: give .* as ConditioningSet\.noise_memory"):
        ViewConsistentNoise()(clean, torch.tensor([400]), denoiser, conditioning, generator())
