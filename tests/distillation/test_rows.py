"""The rows of the table: every estimator that is a combination of frozen scores, against exactly known ones."""

import math
from dataclasses import dataclass, replace

import pytest
import torch

from lodestone.distillation.asd import AsynchronousScoreDistillation
from lodestone.distillation.bridge import SchroedingerBridge
from lodestone.distillation.csd import COARSE_SHARE, FINE_SHARE, ClassifierScoreDistillation
from lodestone.distillation.dds import DeltaDenoisingScore
from lodestone.distillation.hifa import HighFidelityDistillation
from lodestone.distillation.lods import LearnedNullLora
from lodestone.distillation.mvdream import MultiViewReconstruction
from lodestone.distillation.nfsd import NoiseFreeScoreDistillation
from lodestone.distillation.normalized_sds import NormalizedScoreDistillation
from lodestone.distillation.pds import PosteriorDistillation, posterior_weights
from lodestone.distillation.scores import Scores
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.sjc import ScoreJacobianChaining
from lodestone.distillation.step_settings import StepSettings
from lodestone.distillation.timesteps import AbstractTimeLaw, UniformTimes
from lodestone.distillation.vfds import VelocityFlowDistillation
from lodestone.distillation.weighting import SigmaOverAlpha, Uniform
from lodestone.errors import SettingError
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.denoiser import Prediction, PredictionType
from lodestone.priors.guidance import guided
from lodestone.priors.noise import NoiseSchedule, over_batch
from lodestone.prompts.conditioning import Opposed
from lodestone.schedules import Constant
from lodestone.testing.estimator_contract import (
    FIXED,
    SCHEDULE,
    AbstractEstimatorContract,
    CountingDenoiser,
    EstimatorContract,
    complete_problem,
    gaussian_problem,
    point_problem,
    two_component_problem,
)


class TestNormalizedScoreDistillation(EstimatorContract):
    def estimator(self):
        return NormalizedScoreDistillation(guidance_scale=8.0)

    def mean(self, positive, null, noise):
        return positive - 7 / 8 * null - 1 / 8 * noise


class TestNormalizedScoreDistillationAtInfinity(EstimatorContract):
    def estimator(self):
        return NormalizedScoreDistillation(guidance_scale=math.inf)

    def mean(self, positive, null, noise):
        return positive - null


class TestScoreJacobianChaining(EstimatorContract):
    def estimator(self):
        return ScoreJacobianChaining(guidance_scale=20.0)

    def mean(self, positive, null, noise):
        return 20 * positive - 19 * null - noise


class TestScoreJacobianChainingWithoutVarianceReduction(EstimatorContract):
    balanced = False

    def estimator(self):
        return ScoreJacobianChaining(guidance_scale=20.0, variance_reduction=False)

    def mean(self, positive, null, noise):
        return 20 * positive - 19 * null


class TestClassifierScoreDistillationWithNegativePrompt(AbstractEstimatorContract):
    def estimator(self):
        return ClassifierScoreDistillation()

    def bracket(self, exact):
        return exact.positive - exact.negative


class TestAnnealedClassifierScoreDistillation(AbstractEstimatorContract):
    calls = 3

    def estimator(self):
        return ClassifierScoreDistillation(negative_share=Constant(0.3))

    def bracket(self, exact):
        return exact.positive - 0.3 * exact.negative - 0.7 * exact.null


class TestNoiseFreeScoreDistillationAbove(AbstractEstimatorContract):
    """t = 400 lies above 0.2 T."""

    calls = 3

    def estimator(self):
        return NoiseFreeScoreDistillation()

    def bracket(self, exact):
        return exact.null - exact.negative + 7.5 * (exact.positive - exact.null)


class TestNoiseFreeScoreDistillationBelow(AbstractEstimatorContract):
    """t = 400 lies below 0.5 T, where the coefficients sum to 1."""

    calls = 3
    balanced = False

    def estimator(self):
        return NoiseFreeScoreDistillation(threshold=0.5)

    def bracket(self, exact):
        return exact.null + 7.5 * (exact.positive - exact.null)


class TestDeltaDenoisingScore(AbstractEstimatorContract):
    calls = 4

    def estimator(self):
        return DeltaDenoisingScore()

    def bracket(self, exact):
        edited, source = edit(exact, 7.5)
        return edited - source


class TestDeltaDenoisingScoreWithoutNegativePrompt(AbstractEstimatorContract):
    calls = 4
    negative = False

    def estimator(self):
        return DeltaDenoisingScore(guidance_scale=3.0, weight=Uniform())

    def bracket(self, exact):
        edited, source = edit(exact, 3.0)
        return edited - source


class TestPosteriorDistillation(AbstractEstimatorContract):
    """`z(x) - z(x')` with explicit noise of the earlier point, which must cancel."""

    calls = 4

    def estimator(self):
        return PosteriorDistillation(guidance_scale=5.0, stride=3)

    def bracket(self, exact):
        edited, source = edit(exact, 5.0)
        alpha, alpha_b, alpha_e = (SCHEDULE.alpha(exact.noised.t - back).double() for back in (0, 1, 3))
        sigma, sigma_b, sigma_e = (SCHEDULE.sigma(exact.noised.t - back).double() for back in (0, 1, 3))
        beta = sigma**2 - (alpha / alpha_b * sigma_b) ** 2
        first, second = alpha_e * beta / sigma**2, alpha / alpha_b * sigma_e**2 / sigma**2
        deviation = beta.sqrt() * sigma_e / sigma
        early = torch.randn(exact.noise.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

        def z(latents, prediction):
            noisy = exact.renoised(latents).noisy
            clean = (noisy - over_batch(sigma) * prediction) / over_batch(alpha)
            earlier = over_batch(alpha_e) * latents + over_batch(sigma_e) * early
            return (earlier - over_batch(first) * clean - over_batch(second) * noisy) / over_batch(deviation)

        return z(exact.noised.clean, edited) - z(exact.conditioning.source_latents, source)


class TestBridgeFirstStage(AbstractEstimatorContract):
    def estimator(self):
        return SchroedingerBridge(guidance_scale=40.0, switch=1.0)

    def bracket(self, exact):
        return exact.negative + 40 * (exact.positive - exact.negative) - exact.noise


class TestBridgeSecondStage(AbstractEstimatorContract):
    def estimator(self):
        return SchroedingerBridge(switch=0.0, bridge_weight=3.0)

    def bracket(self, exact):
        return 3 * (exact.positive - exact.predict(exact.conditioning.source))


class TestAsynchronousScoreDistillation(AbstractEstimatorContract):
    """Over a window, since nothing is shifted at its lower end."""

    calls = 3
    step = StepSettings(step=0, steps=1, window=(20, 400))

    def estimator(self):
        return AsynchronousScoreDistillation(largest_shift=0.5)

    def bracket(self, exact):
        t = exact.noised.t
        later = t + (0.5 * torch.rand(len(t), generator=exact.rng) * (t - 20)).floor().long()
        shifted = exact.predict(exact.conditioning.positive, exact.renoised(exact.noised.clean, later))
        return guided(exact.positive, exact.negative, 7.5) - shifted


class TestMultiViewReconstruction(AbstractEstimatorContract):
    """Written for clean pictures, and brought back to the noise by `alpha / sigma`."""

    views = 4
    negative = False

    def estimator(self):
        return MultiViewReconstruction()

    def bracket(self, exact):
        alpha, sigma = (over_batch(table(exact.noised.t)) for table in (SCHEDULE.alpha, SCHEDULE.sigma))
        wanted, plain = (
            (exact.noised.noisy - sigma * noise) / alpha
            for noise in (exact.positive, guided(exact.positive, exact.null, 50.0))
        )
        ratio = [(a.std() / b.std()).expand(4) for a, b in zip(wanted.split(4), plain.split(4), strict=True)]
        clean = over_batch(0.5 * torch.cat(ratio) + 0.5) * plain
        return alpha / sigma * (exact.noised.clean - clean)


class TestHighFidelityDistillation(EstimatorContract):
    def estimator(self):
        return HighFidelityDistillation()

    def mean(self, positive, null, noise):
        return 100 * positive - 99 * null - noise


class TestVelocityFlowDistillation(EstimatorContract):
    def estimator(self):
        return VelocityFlowDistillation(guidance_scale=50.0)

    def mean(self, positive, null, noise):
        return 50 * positive - 49 * null - noise


def edit(exact, scale):
    """The guided scores of the rendering and of its source."""
    known = exact.conditioning
    noised = exact.renoised(known.source_latents)
    edited = guided(exact.positive, exact.predict(known.baseline), scale)
    return edited, guided(exact.predict(known.source, noised), exact.predict(known.baseline, noised), scale)


def draw(estimator, problem=None, step=FIXED, seed=3):
    denoiser, conditioning, latents = problem or complete_problem(4, negative=False)
    return estimator.gradient(denoiser, latents, conditioning, step, torch.Generator().manual_seed(seed))


def change(problem, **conditions):
    denoiser, conditioning, latents = problem
    return denoiser, replace(conditioning, **conditions), latents


def rows():
    """One of each, so that it works on a complete problem of four views."""
    return [
        NormalizedScoreDistillation(),
        ScoreJacobianChaining(),
        ClassifierScoreDistillation(negative_share=COARSE_SHARE),
        NoiseFreeScoreDistillation(),
        DeltaDenoisingScore(),
        PosteriorDistillation(),
        SchroedingerBridge(),
        AsynchronousScoreDistillation(),
        MultiViewReconstruction(guidance_rescale=0.0),
        HighFidelityDistillation(),
        VelocityFlowDistillation(),
    ]


def name(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("row", rows(), ids=name)
def test_run_folders_can_hold_it(row):
    assert from_plain(row, to_plain(row)) == row


@pytest.mark.parametrize("row", [row for row in rows() if "guidance_rescale" in to_plain(row)], ids=name)
def test_guidance_is_a_straight_line(row):
    """`g(s) = g(0) + s (g(1) - g(0))`: SDS at s is s times CSD plus its unguided part, and so is every guided row."""
    problem = complete_problem(4)
    at = [draw(replace(row, guidance_scale=scale), problem).gradient for scale in (0.0, 1.0, 30.0)]
    torch.testing.assert_close(at[2], at[0] + 30 * (at[1] - at[0]))


@pytest.mark.parametrize("row", rows(), ids=name)
def test_float32_latents_get_a_float32_gradient(row):
    denoiser, conditioning, latents = complete_problem(4)
    single = replace(conditioning, source_latents=conditioning.source_latents.float())
    score = draw(row, (denoiser.float(), single, latents.float()))
    assert score.gradient.dtype == torch.float32 and score.gradient.isfinite().all()


COEFFICIENTS = [
    (NormalizedScoreDistillation(guidance_scale=4.0), {"negative": -3 / 4, "positive": 1}),
    (ScoreJacobianChaining(guidance_scale=4.0, variance_reduction=False), {"negative": -3, "positive": 4}),
    (ClassifierScoreDistillation(negative_share=Constant(0.25)), {"positive": 1, "negative": -1 / 4, "null": -3 / 4}),
    (NoiseFreeScoreDistillation(guidance_scale=4.0), {"positive": 4, "null": -3, "negative": -1}),
    (DeltaDenoisingScore(guidance_scale=4.0), {"positive": 4, "source": -4, "negative": -3, "negative of source": 3}),
    (SchroedingerBridge(switch=0.0, bridge_weight=2.0), {"positive": 2, "source wording": -2}),
    (HighFidelityDistillation(guidance_scale=4.0), {"positive": 4, "negative": -3}),
    (VelocityFlowDistillation(guidance_scale=4.0), {"positive": 4, "negative": -3}),
]
"""Rows of the table; eps has mean 0 and is left out."""


@pytest.mark.parametrize(("row", "coefficients"), COEFFICIENTS, ids=name)
def test_mean_gradient_on_gaussians_is_the_closed_form(row, coefficients):
    """`E eps_k = sigma alpha (x_k - mu_k) / (alpha^2 s_k^2 + sigma^2)`; 4,000 draws at t = 400, 5 standard errors."""
    denoiser, conditioning, latents = gaussian_problem(4_000)
    gradient = draw(row, (denoiser, conditioning, latents)).gradient
    t = torch.tensor([400])
    alpha, sigma = SCHEDULE.alpha(t).double(), SCHEDULE.sigma(t).double()
    pictures = {"source": conditioning.source_latents[0], "negative of source": conditioning.source_latents[0]}
    components = {"positive": 0, "null": 1, "negative": 2, "source": 3, "negative of source": 2, "source wording": 3}
    expected = torch.zeros_like(latents[0])
    for key, coefficient in coefficients.items():
        component, picture = components[key], pictures.get(key, latents[0])
        v = alpha**2 * denoiser.variances[component] + sigma**2
        expected += coefficient * sigma * alpha * (picture - denoiser.means[component].view_as(picture)) / v
    error = gradient.std(0) / math.sqrt(len(gradient))
    assert ((gradient.mean(0) - row.weight(t, SCHEDULE).double() * expected).abs() < 5 * error).all()


# Normalized SDS: the identities of LODS.


@pytest.mark.parametrize("scale", [1.0, 7.5, 1000.0])
def test_normalized_sds_times_its_scale_is_sds(scale):
    """(a)."""
    normalized = draw(NormalizedScoreDistillation(guidance_scale=scale))
    torch.testing.assert_close(scale * normalized.gradient, draw(ScoreDistillation(guidance_scale=scale)).gradient)


def test_normalized_sds_with_infinite_scale_is_csd():
    """(b)."""
    normalized = draw(NormalizedScoreDistillation(guidance_scale=math.inf))
    assert torch.equal(normalized.gradient, draw(ClassifierScoreDistillation()).gradient)


@pytest.mark.parametrize("scale", [1.0, 7.5, 1000.0, math.inf])
def test_normalized_sds_with_a_perfect_null_condition_is_unguided_sds(scale):
    """(c): where the null condition is the one point at x, it predicts the very noise, and g = w (eps_y - eps)."""
    _, conditioning, latents = two_component_problem(4)
    latents = latents[:1].expand_as(latents)
    means = torch.stack([latents[0] + 1, latents[0]])
    denoiser = GaussianMixture(means, torch.tensor([0.5, 0.0], dtype=torch.float64), SCHEDULE)
    perfect = component_conditioning(torch.tensor([[0.0, 1.0]])).expand(4)
    problem = denoiser, replace(conditioning, null=perfect), latents
    unguided = draw(ScoreDistillation(guidance_scale=1.0), problem)
    torch.testing.assert_close(
        draw(NormalizedScoreDistillation(guidance_scale=scale), problem).gradient, unguided.gradient
    )


def test_normalized_sds_is_lods_with_a_lora_that_has_not_learned_yet():
    """(d): under the negative prompt."""
    denoiser, conditioning, latents = complete_problem(4)
    lods = LearnedNullLora(guidance_scale=30.0)
    slot = lods.slot(conditioning, denoiser, torch.Generator().manual_seed(0)).to(latents.dtype)
    begun = draw(lods, (denoiser, slot.fill(conditioning), latents))
    normalized = draw(NormalizedScoreDistillation(guidance_scale=30.0), (denoiser, conditioning, latents))
    torch.testing.assert_close(begun.gradient, normalized.gradient)


def test_normalized_sds_at_scale_one_ignores_the_null_condition():
    """(g)."""
    problem, row = complete_problem(4), NormalizedScoreDistillation(guidance_scale=1.0)
    elsewhere = component_conditioning(torch.tensor([[0.01, 0.99]])).expand(4)
    torch.testing.assert_close(draw(row, problem).gradient, draw(row, change(problem, negative=elsewhere)).gradient)


# SJC.


@pytest.mark.parametrize("reduced", [True, False])
def test_sjc_is_the_papers_form_on_the_variance_exploding_path(reduced):
    """`-(D(z) - x) / c` and `-(D(z) - z) / c` with `z = x + c eps`, `D` the guided denoiser and `c = sigma / alpha`."""
    denoiser, conditioning, latents = problem = complete_problem(4, negative=False)
    score = draw(ScoreJacobianChaining(guidance_scale=9.0, variance_reduction=reduced), problem)
    rng = torch.Generator().manual_seed(3)
    t = UniformTimes().sample(4, FIXED, SCHEDULE, rng)
    noise = torch.randn(latents.shape, generator=rng, dtype=latents.dtype)
    c = over_batch(SCHEDULE.sigma(t).double() / SCHEDULE.alpha(t).double())
    z = latents + c * noise
    scaled = z * over_batch(SCHEDULE.alpha(t))
    positive, null = (denoiser(scaled, t, part).clean for part in (conditioning.positive, conditioning.null))
    denoised = guided(positive, null, 9.0)
    torch.testing.assert_close(score.gradient, -(denoised - (latents if reduced else z)) / c)


# CSD.


@pytest.mark.parametrize("share", [Constant(0.0), Constant(0.4), Constant(1.0), COARSE_SHARE])
def test_csd_without_a_negative_prompt_ignores_its_share(share):
    counter = CountingDenoiser(complete_problem(4)[0])
    _, conditioning, latents = complete_problem(4, negative=False)
    score = draw(ClassifierScoreDistillation(negative_share=share), (counter, conditioning, latents))
    assert torch.equal(score.gradient, draw(ClassifierScoreDistillation()).gradient)
    assert counter.samples == 2 * len(latents)


def test_csd_anneals_from_the_null_condition_to_the_negative_prompt_and_half_the_way_back():
    problem = complete_problem(4)
    at_null = draw(ClassifierScoreDistillation(), change(problem, negative=None)).gradient
    at_negative = draw(ClassifierScoreDistillation(), problem).gradient

    def at(share, step):
        now = StepSettings(step=step, steps=10_000, window=(400, 400))
        return draw(ClassifierScoreDistillation(negative_share=share), problem, now).gradient

    torch.testing.assert_close(at(COARSE_SHARE, 0), at_null)
    torch.testing.assert_close(at(COARSE_SHARE, 2_500), (at_null + at_negative) / 2)
    assert torch.equal(at(COARSE_SHARE, 5_000), at_negative) and torch.equal(at(FINE_SHARE, 0), at_negative)
    torch.testing.assert_close(at(FINE_SHARE, 10_000), (at_null + at_negative) / 2)


# NFSD.


def test_nfsd_changes_its_form_at_the_threshold():
    """Each sample by its own time: below, the negative prompt plays no part."""
    problem = complete_problem(64)
    step = StepSettings(step=0, steps=1, window=(198, 201))
    score = draw(NoiseFreeScoreDistillation(weight=Uniform()), problem, step)
    null, negative = score.terms["null"], score.terms["negative"]
    direction = score.gradient - 7.5 * (score.terms["positive"] - null)
    below = score.t < 200
    assert 0 < below.sum() < 64
    torch.testing.assert_close(direction[below], null[below])
    torch.testing.assert_close(direction[~below], (null - negative)[~below])


# Editing.


@pytest.mark.parametrize("row", [DeltaDenoisingScore(), PosteriorDistillation()], ids=name)
def test_an_edit_that_changes_nothing_has_no_gradient(row):
    problem = complete_problem(4)
    _, conditioning, latents = problem
    same = change(problem, source=conditioning.positive, source_latents=latents)
    assert draw(row, same).gradient.abs().max() < 1e-12


@pytest.mark.parametrize(
    "row", [DeltaDenoisingScore(guidance_rescale=0.7), PosteriorDistillation(guidance_rescale=0.7)], ids=name
)
def test_the_way_back_is_the_opposite_edit(row):
    """Exchanging picture and source changes the sign; the rescaling is each picture's own."""
    denoiser, conditioning, latents = problem = complete_problem(4)
    back = replace(conditioning, positive=conditioning.source, source=conditioning.positive, source_latents=latents)
    there = draw(row, problem).gradient
    torch.testing.assert_close(draw(row, (denoiser, back, conditioning.source_latents)).gradient, -there)


def test_dds_has_less_variance_than_sds():
    """What both scores share cancels: the reason for the second one."""
    _, conditioning, latents = problem = complete_problem(512)
    near = change(problem, source_latents=latents[:1].expand_as(latents), source=conditioning.positive)
    near = near[0], near[1], (latents[:1] + 0.1).expand_as(latents)
    dds, sds = (
        draw(row, near).gradient.var(0).mean()
        for row in (DeltaDenoisingScore(), ScoreDistillation(guidance_scale=7.5, weight=Uniform()))
    )
    assert dds < 0.1 * sds


def test_dds_at_the_source_itself_is_the_bridge():
    """LODS, Sec. 4: with the source picture at the rendering, s = 1 leaves `eps_y - eps_y'`."""
    problem = complete_problem(4)
    here = change(problem, source_latents=problem[2])
    bridge = draw(SchroedingerBridge(switch=0.0), problem)
    torch.testing.assert_close(draw(DeltaDenoisingScore(guidance_scale=1.0), here).gradient, bridge.gradient)


def exact_schedule():
    """Stable Diffusion's schedule in double precision, with its betas."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64).square()
    bar = (1 - betas).cumprod(0)
    return NoiseSchedule(bar.sqrt(), (1 - bar).sqrt()), betas, bar


@pytest.mark.parametrize("schedule", [SCHEDULE, NoiseSchedule.cosine(), NoiseSchedule.rectified_flow()])
def test_pds_keeps_no_identity_between_adjacent_times(schedule):
    """psi is exactly 0 for a stride of 1, to the last bit, because the reverse step is then the true posterior."""
    psi, chi = posterior_weights(torch.arange(schedule.length), 1, schedule)
    assert psi.abs().max() == 0
    assert chi.isfinite().all() and (chi[1:] > 0).all()


def test_pds_identity_weights_are_the_published_ones_for_a_stride_of_two():
    """500 inference steps of 1,000 times walk two times at once."""
    times = torch.tensor([100, 300, 500, 700, 900])
    psi, chi = posterior_weights(times, 2, SCHEDULE)
    torch.testing.assert_close(psi, torch.tensor([0.318, 0.080, 0.032, 0.0145, 0.0062]).double(), rtol=0.01, atol=0)
    assert ((chi > 0.08) & (chi < 0.12)).all()


@pytest.mark.parametrize("stride", [1, 2, 20])
def test_pds_weights_are_those_of_explicit_posterior_sampling(stride):
    """DDPM's posterior mean and deviation from betas: x enters `z(x)` by psi and the predicted noise by chi."""
    schedule, betas, bar = exact_schedule()
    t = torch.arange(stride, 1000)
    early, beta = bar[t - stride], betas[t]
    first = early.sqrt() * beta / (1 - bar[t])
    second = (1 - beta).sqrt() * (1 - early) / (1 - bar[t])
    deviation = ((1 - early) / (1 - bar[t]) * beta).sqrt()
    psi, chi = posterior_weights(t, stride, schedule)
    torch.testing.assert_close(psi, (early.sqrt() - first - second * bar[t].sqrt()) / deviation, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(chi, first * (1 / bar[t] - 1).sqrt() / deviation, rtol=1e-9, atol=0)


def test_pds_identity_term_pulls_towards_the_source():
    problem = complete_problem(4)
    free, kept = (draw(PosteriorDistillation(identity_weight=c), problem) for c in (0.0, 2.0))
    psi, _ = posterior_weights(kept.t, 2, SCHEDULE)
    moved = problem[2] - problem[1].source_latents
    torch.testing.assert_close(kept.gradient - free.gradient, 2 * over_batch(psi) * moved)


# The bridge.


def test_the_bridge_is_crossed_at_its_step():
    row = SchroedingerBridge()
    before, after = (
        draw(row, complete_problem(2), StepSettings(step=step, steps=25_000, window=(400, 400))).terms
        for step in (19_999, 20_000)
    )
    assert "noise" in before and "source" in after


# ASD.


def scores_at(window, count=4096):
    """Scores at uniform times of a window, for estimators that draw more."""
    denoiser, conditioning, latents = complete_problem(count, negative=False)
    rng, step = torch.Generator().manual_seed(5), StepSettings(step=0, steps=1, window=window)
    t = UniformTimes().sample(count, step, SCHEDULE, rng)
    noised = ScoreDistillation().noising(latents, t, denoiser, conditioning, rng)
    return Scores(denoiser, noised, conditioning, step, rng)


def test_asd_shifts_by_a_uniform_share_of_the_way_from_the_smallest_time():
    """`d / (eta (t - t_min))` is uniform on [0, 1], up to the rounding of d; mean within 5 standard errors."""
    scores = scores_at((0, 900))
    later = AsynchronousScoreDistillation(largest_shift=0.1).later(scores)
    shift, largest = (later.t - scores.t).double(), 0.1 * scores.t
    assert (shift >= 0).all() and (shift <= largest).all()
    share = ((shift + 0.5) / largest)[scores.t > 450]
    assert (share.mean() - 0.5).abs() < 5 * share.std() / math.sqrt(len(share)) + 0.01
    assert torch.equal(later.noise, scores.noise)


def test_asd_stays_inside_the_schedule():
    later = AsynchronousScoreDistillation(largest_shift=1.0).later(scores_at((900, 999)))
    assert later.t.max() == 999


def test_asd_without_a_shift_is_guidance_alone():
    asd = draw(AsynchronousScoreDistillation(guidance_scale=7.5, largest_shift=0.0))
    torch.testing.assert_close(asd.gradient, 6.5 * draw(ClassifierScoreDistillation()).gradient)


# Reconstruction of clean pictures (I1).


def clean_prediction(scale, problem):
    """The guided clean prediction for the draw of `draw`, and the latents."""
    denoiser, conditioning, latents = problem
    sds = draw(ScoreDistillation(guidance_scale=scale, times=UniformTimes(shared=True)), problem)
    noisy = SCHEDULE.add_noise(latents, sds.terms["noise"], sds.t)
    clean = (denoiser(noisy, sds.t, part).clean for part in (conditioning.positive, conditioning.null))
    return guided(*clean, scale)


def test_mvdream_without_rescaling_is_the_distance_to_the_clean_prediction():
    """I1: `x - x0 = sigma / alpha (eps_s - eps)`."""
    problem = two_component_problem(4)
    score = draw(MultiViewReconstruction(guidance_rescale=0.0), problem)
    torch.testing.assert_close(score.gradient, problem[2] - clean_prediction(50.0, problem))


def test_mvdream_rescaled_for_each_view_is_rescaled_guidance():
    shared = {"times": UniformTimes(shared=True), "weight": SigmaOverAlpha()}
    plain = ScoreDistillation(guidance_scale=50.0, guidance_rescale=0.5, **shared)
    torch.testing.assert_close(draw(MultiViewReconstruction(views=1)).gradient, draw(plain).gradient)


@dataclass(frozen=True)
class TimesOfGroups(AbstractTimeLaw):
    """200 for the first four samples, 600 for the others."""

    def sample(self, count, step, schedule, rng):
        return torch.tensor([200, 600]).repeat_interleave(4)


def test_mvdream_rescales_a_group_to_the_deviation_of_its_conditional_prediction():
    """Each at its own time."""
    problem, times = two_component_problem(8), TimesOfGroups()
    rescaled = draw(MultiViewReconstruction(guidance_rescale=1.0, times=times), problem)
    conditional = draw(MultiViewReconstruction(guidance_scale=1.0, guidance_rescale=0.0, times=times), problem)
    clean, wanted = problem[2] - rescaled.gradient, problem[2] - conditional.gradient
    for group in (slice(0, 4), slice(4, 8)):
        torch.testing.assert_close(clean[group].std(), wanted[group].std())


def test_mvdream_refuses_groups_that_are_none():
    denoiser, conditioning, _ = problem = two_component_problem(4)
    with pytest.raises(SettingError, match=r"estimator\.views is 4 and plan\.views 6: make"):
        MultiViewReconstruction().check(denoiser, conditioning, views=6)
    MultiViewReconstruction().check(denoiser, conditioning, views=8)
    with pytest.raises(SettingError, match="choose times that are shared"):
        draw(MultiViewReconstruction(times=UniformTimes()), problem, StepSettings(step=0, steps=1, window=(20, 980)))


def test_hifa_asks_for_its_clean_prediction_in_latents_and_in_the_image():
    """I1, times 0.05."""
    problem = complete_problem(4, negative=False)
    score = draw(HighFidelityDistillation(guidance_scale=20.0, times=UniformTimes(shared=True)), problem)
    clean = clean_prediction(20.0, problem)
    assert score.image_term is not None and score.image_term.weight == 0.1
    torch.testing.assert_close(score.image_term.target, clean)
    torch.testing.assert_close(score.gradient, 0.05 * (problem[2] - clean))


def test_hifa_without_its_image_term_leaves_the_decoder_alone():
    assert draw(HighFidelityDistillation(image_weight=0.0)).image_term is None


# Flows (I2).


def flow_problem(count=6):
    """A mixture on a rectified flow, float64 throughout."""
    tau = torch.arange(1, 1001, dtype=torch.float64) / 1000
    _, conditioning, latents = two_component_problem(count)
    means = two_component_problem(count)[0].means.view(2, 3, 4, 4)
    return GaussianMixture(means, 0.4, NoiseSchedule(1 - tau, tau)), conditioning, latents


@pytest.mark.parametrize("window", [(60, 60), (400, 400), (20, 980)])
def test_vfds_is_the_difference_of_velocities(window):
    """I2: `u_s - (eps - x)` with `u = eps_hat - x_hat`, for guided velocities, to rounding."""
    denoiser, conditioning, latents = problem = flow_problem()
    step = StepSettings(step=0, steps=1, window=window)
    score = draw(VelocityFlowDistillation(), problem, step)
    noise, t = score.terms["noise"], score.t
    noisy = denoiser.schedule.add_noise(latents, noise, t)
    flows = (denoiser(noisy, t, part).flow for part in (conditioning.positive, conditioning.null))
    torch.testing.assert_close(score.gradient, guided(*flows, 100.0) - (noise - latents), rtol=1e-9, atol=1e-9)


def test_velocities_and_clean_pictures_differ_by_the_time():
    """I2: `x - x0 = tau (u_s - u)`, which makes reconstruction on a flow VFDS with another weight."""
    problem = flow_problem(4)
    times = UniformTimes(shared=True)
    vfds = draw(VelocityFlowDistillation(guidance_scale=50.0, times=times), problem)
    clean = draw(MultiViewReconstruction(guidance_rescale=0.0), problem)
    tau = over_batch(problem[0].schedule.sigma(vfds.t))
    torch.testing.assert_close(clean.gradient, tau * vfds.gradient)


@pytest.mark.parametrize("kind", list(PredictionType))
def test_velocity_of_a_network_of_any_kind_is_the_same(kind):
    """The prediction that a bracket is made of does not depend on what the network puts out, on flows as well."""
    denoiser, conditioning, latents = flow_problem(2)
    t = torch.tensor([60, 900])
    noisy = denoiser.schedule.add_noise(latents, torch.randn(2, 3, 4, 4, generator=torch.Generator()).double(), t)
    exact = denoiser(noisy, t, conditioning.positive)
    outputs = dict(zip(PredictionType, (exact.noise, exact.clean, exact.velocity, exact.flow), strict=True))
    again = Prediction.of(kind, outputs[kind], noisy, t, denoiser.schedule)
    torch.testing.assert_close(again.flow, exact.flow)


# Coefficients that sum to 0 (I3).


@pytest.mark.parametrize("t", [20, 199, 200, 700, 980])
@pytest.mark.parametrize("row", rows(), ids=name)
def test_where_every_score_is_the_noise_a_balanced_row_vanishes_at_all_times(row, t):
    """NFSD below M is the documented exception: its coefficients sum to 1, and the noise itself is left."""
    score = draw(row, point_problem(4), StepSettings(step=0, steps=1, window=(t, t)))
    left = score.terms["null"] if isinstance(row, NoiseFreeScoreDistillation) and t < 200 else 0 * score.gradient
    expected = over_batch(row.weight(score.t, SCHEDULE)) * left
    torch.testing.assert_close(score.gradient, expected, rtol=1e-6, atol=1e-6)


# What cannot work.


@pytest.mark.parametrize(
    ("row", "missing", "words"),
    [
        (NoiseFreeScoreDistillation(), "negative", r"prompt\.negative"),
        (DeltaDenoisingScore(), "source", r"prompt\.source"),
        (PosteriorDistillation(), "source", r"prompt\.source"),
        (SchroedingerBridge(), "source", r"prompt\.source"),
    ],
)
def test_what_a_row_needs_is_asked_for_before_any_work(row, missing, words):
    denoiser, complete, _ = complete_problem(4)
    row.check(denoiser, complete, views=4)
    with pytest.raises(SettingError, match=words):
        row.check(denoiser, replace(complete, **{missing: None}), views=4)


def test_an_editor_asks_for_its_picture():
    with pytest.raises(SettingError, match=r"scene\.source is empty"):
        draw(DeltaDenoisingScore(), change(complete_problem(4), source_latents=None))


@pytest.mark.parametrize("row", rows(), ids=name)
def test_perp_neg_is_refused_where_it_could_not_act(row):
    """Opposed conditions are asked for, or the estimator says that it would not."""
    denoiser, complete, latents = problem = complete_problem(4)
    opposed = Opposed(conditioning=complete.source, weight=torch.full((4,), -2.0))
    problem = denoiser, replace(complete, opposed=(opposed,)), latents
    if row.allows_perp_neg:
        row.check(*problem[:2], views=4)
        assert draw(row, problem).denoiser_calls == draw(row, complete_problem(4)).denoiser_calls + 1
    else:
        with pytest.raises(SettingError, match=r"prompt\.perp_neg is true, but"):
            row.check(*problem[:2], views=4)


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (NormalizedScoreDistillation, {"guidance_scale": 0.0}, "guidance_scale is 0"),
        (NoiseFreeScoreDistillation, {"threshold": 200.0}, "threshold is 200"),
        (PosteriorDistillation, {"stride": 0}, "stride is 0"),
        (SchroedingerBridge, {"switch": 500.0}, "switch is 500"),
        (AsynchronousScoreDistillation, {"largest_shift": -0.1}, "largest_shift is -0.1"),
        (MultiViewReconstruction, {"views": 0}, "views is 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(kind, settings, words):
    with pytest.raises(SettingError, match=words):
        kind(**settings)
