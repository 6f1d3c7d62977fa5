"""Every estimator against exactly known scores."""

import math
from dataclasses import replace

import pytest
import torch

from lodestone.distillation.control_variate import projection
from lodestone.distillation.csd import ClassifierScoreDistillation
from lodestone.distillation.estimator import surrogate_loss
from lodestone.distillation.lods import LearnedNullEmbedding
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.slots import AbstractAdaptiveEstimator
from lodestone.distillation.ssd import StableScoreDistillation, norm
from lodestone.distillation.step_settings import StepSettings
from lodestone.distillation.weighting import Uniform
from lodestone.errors import SettingError
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import ConditioningSet
from lodestone.testing.estimator_contract import FIXED, EstimatorContract, two_component_problem


class TestScoreDistillation(EstimatorContract):
    def estimator(self):
        return ScoreDistillation(guidance_scale=7.5)

    def mean(self, positive, null, noise):
        return 7.5 * positive - 6.5 * null - noise


class TestClassifierScoreDistillation(EstimatorContract):
    def estimator(self):
        return ClassifierScoreDistillation(weight=Uniform())

    def mean(self, positive, null, noise):
        return positive - null


class TestStableScoreDistillationSeeking(EstimatorContract):
    """Below the threshold: t = 400 < 0.5 T."""

    def estimator(self):
        return StableScoreDistillation(threshold=0.5)

    def mean(self, positive, null, noise):
        flat_positive, flat_noise = positive.flatten(1), noise.flatten(1)
        r = (flat_positive * flat_noise).sum(1, keepdim=True) / (flat_noise**2).sum(1, keepdim=True)
        seeking = flat_positive - r * flat_noise
        ratio = (positive - null).flatten(1).norm(dim=1, keepdim=True) / seeking.norm(dim=1, keepdim=True)
        return (ratio * seeking).view_as(positive)


class TestStableScoreDistillationDisengaging(EstimatorContract):
    """Above the threshold: t = 400 > 0.2 T."""

    def estimator(self):
        return StableScoreDistillation(threshold=0.2)

    def mean(self, positive, null, noise):
        return positive - null


class TestLearnedNullEmbedding(EstimatorContract):
    def estimator(self):
        return LearnedNullEmbedding(guidance_scale=100.0)

    def mean(self, positive, null, noise):
        return positive - 0.99 * null - 0.01 * noise


def draw(estimator, problem=None, seed=3):
    denoiser, conditioning, latents = problem or two_component_problem(4)
    if isinstance(estimator, AbstractAdaptiveEstimator) and conditioning.learned is None:
        slot = estimator.slot(conditioning, denoiser, torch.Generator().manual_seed(0)).to(latents.dtype)
        conditioning = slot.fill(conditioning)
    return estimator.gradient(denoiser, latents, conditioning, FIXED, torch.Generator().manual_seed(seed))


def test_sds_mean_on_a_gaussian_is_the_weighted_score_difference():
    """E_eps[g] = w sigma alpha (x - mu) / v at scale 1; Monte Carlo over 20,000 draws, error bars of 5 sigma."""
    schedule, count = NoiseSchedule.scaled_linear(), 20_000
    mean, variance = torch.full((1, 1, 2, 2), 0.4, dtype=torch.float64), 0.25
    denoiser = GaussianMixture(mean, variance, schedule)
    only = component_conditioning(torch.ones(1, 1)).expand(count)
    x = torch.tensor([[[[1.0, -1.0], [0.3, 2.0]]]], dtype=torch.float64).expand(count, 1, 2, 2)
    problem = denoiser, ConditioningSet(positive=only, null=only), x
    g = draw(ScoreDistillation(guidance_scale=1.0), problem).gradient
    t = torch.tensor([400])
    alpha, sigma = schedule.alpha(t).double(), schedule.sigma(t).double()
    expected = sigma**2 * sigma * alpha * (x[0] - 0.4) / (alpha**2 * variance + sigma**2)
    standard_error = g.std(0) / math.sqrt(count)
    assert ((g.mean(0) - expected).abs() < 5 * standard_error).all()


def test_sds_is_csd_times_scale_plus_the_unguided_part():
    problem = two_component_problem(4)
    sds, plain = (
        draw(ScoreDistillation(guidance_scale=9.0), problem),
        draw(ScoreDistillation(guidance_scale=0.0), problem),
    )
    csd = draw(ClassifierScoreDistillation(), problem)
    torch.testing.assert_close(sds.gradient, plain.gradient + 9 * csd.gradient)


def test_lods_times_its_scale_is_sds():
    """Identity (a): normalized SDS times s is SDS, while the slot is at its start."""
    lods, sds = draw(LearnedNullEmbedding(guidance_scale=30.0)), draw(ScoreDistillation(guidance_scale=30.0))
    torch.testing.assert_close(30 * lods.gradient, sds.gradient)


def test_lods_with_infinite_scale_and_frozen_slot_is_csd():
    """Identity (b)."""
    lods, csd = draw(LearnedNullEmbedding(guidance_scale=math.inf)), draw(ClassifierScoreDistillation())
    torch.testing.assert_close(lods.gradient, csd.gradient)


@pytest.mark.parametrize("scale", [1.0, 7.5, 1000.0, math.inf])
def test_lods_with_a_perfect_slot_is_unguided_sds(scale):
    """Identity (c): if the learned null predicts the very noise, g = w (eps_y - eps) for every scale."""
    score = draw(LearnedNullEmbedding(guidance_scale=scale))
    positive, noise = score.terms["positive"], score.terms["noise"]
    share = 1 / scale
    perfect = positive - (1 - share) * noise - share * noise
    torch.testing.assert_close(perfect, positive - noise)


def test_lods_at_scale_one_ignores_the_slot():
    """Identity (g)."""
    denoiser, conditioning, latents = two_component_problem(4)
    moved = replace(conditioning, learned=component_conditioning(torch.tensor([[0.01, 0.99]])).expand(4))
    first = draw(LearnedNullEmbedding(guidance_scale=1.0), (denoiser, conditioning, latents))
    second = draw(LearnedNullEmbedding(guidance_scale=1.0), (denoiser, moved, latents))
    assert torch.equal(first.gradient, second.gradient)


def test_ssd_seeking_part_is_orthogonal_to_the_noise_and_matched_in_norm():
    """Identity (e)."""
    problem = two_component_problem(4)
    below = draw(StableScoreDistillation(threshold=1.0, weight=Uniform()), problem)
    noise = torch.randn(4, 3, 4, 4, generator=rng_after_times(), dtype=torch.float64)
    inner = (below.terms["seeking"] * noise).flatten(1).sum(1)
    torch.testing.assert_close(inner, torch.zeros_like(inner), atol=1e-10, rtol=0)
    torch.testing.assert_close(norm(below.gradient), norm(below.terms["disengaging"]))


def rng_after_times():
    """The generator of `draw` after its times have been drawn."""
    rng = torch.Generator().manual_seed(3)
    torch.randint(400, 401, (4,), generator=rng)
    return rng


def test_ssd_without_seeking_is_csd():
    """Identity (e): M = 0."""
    ssd, csd = draw(StableScoreDistillation(threshold=0.0)), draw(ClassifierScoreDistillation())
    assert torch.equal(ssd.gradient, csd.gradient)


def test_projection_approaches_the_optimal_coefficient_in_high_dimension():
    """Identity (f): on one Gaussian c* = sigma^2 / v, and r - c* is of the order ||x - mu|| / d."""
    schedule, t = NoiseSchedule.scaled_linear(), torch.full((64,), 400)
    mean = torch.zeros(1, 3, 48, 48, dtype=torch.float64)
    denoiser = GaussianMixture(mean, 0.25, schedule)
    rng = torch.Generator().manual_seed(0)
    x = 0.5 * torch.randn(1, 3, 48, 48, generator=rng, dtype=torch.float64).expand(64, -1, -1, -1)
    noise = torch.randn(64, 3, 48, 48, generator=rng, dtype=torch.float64)
    only = component_conditioning(torch.ones(1, 1)).expand(64)
    r = projection(denoiser(schedule.add_noise(x, noise, t), t, only).noise, noise)
    alpha, sigma = schedule.alpha(t[:1]).double(), schedule.sigma(t[:1]).double()
    best = sigma**2 / (alpha**2 * 0.25 + sigma**2)
    assert (r - best).abs().max() < 0.03


def test_negative_prompt_takes_the_place_of_the_null_condition():
    denoiser, conditioning, latents = two_component_problem(4)
    negative = component_conditioning(torch.tensor([[0.0, 1.0]])).expand(4)
    with_negative = draw(
        ScoreDistillation(guidance_scale=3.0), (denoiser, replace(conditioning, negative=negative), latents)
    )
    as_null = draw(ScoreDistillation(guidance_scale=3.0), (denoiser, replace(conditioning, null=negative), latents))
    assert torch.equal(with_negative.gradient, as_null.gradient)


def test_surrogate_injects_exactly_the_gradient():
    score = draw(ScoreDistillation())
    latents = torch.randn(4, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    surrogate_loss(latents, score).backward()
    torch.testing.assert_close(latents.grad, score.gradient / 4)


def test_learned_null_finds_the_score_of_the_current_renderings():
    """The optimum of LODS's auxiliary loss: the slot's weights go to the component that the renderings come from."""
    denoiser, conditioning, _ = two_component_problem(32)
    estimator = LearnedNullEmbedding(learning_rate=0.1)
    slot = estimator.slot(conditioning, denoiser, torch.Generator())
    optimizer = torch.optim.Adam(slot.parameters(), lr=estimator.learning_rate)
    rng = torch.Generator().manual_seed(0)
    means = denoiser.means.view(2, 3, 4, 4)
    for _ in range(150):
        latents = means[1] + math.sqrt(0.6) * torch.randn(32, 3, 4, 4, generator=rng, dtype=torch.float64)
        loss = estimator.auxiliary_loss(denoiser, latents, slot.fill(conditioning), rng)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert slot.tokens[0, 0].softmax(-1)[1] > 0.95
    assert slot.displacement() > 1.0


def test_slot_is_shared_by_all_views_and_leaves_the_prompt_alone():
    denoiser, conditioning, _ = two_component_problem(5)
    filled = LearnedNullEmbedding().slot(conditioning, denoiser, torch.Generator()).fill(conditioning)
    assert filled.learned is not None and len(filled.learned) == 5
    assert filled.positive is conditioning.positive and filled.null is conditioning.null
    assert torch.equal(filled.learned.tokens, conditioning.null.tokens)


def test_times_stay_in_their_window():
    problem = two_component_problem(512)
    step = StepSettings(step=0, steps=1, window=(20, 23))
    denoiser, conditioning, latents = problem
    score = ClassifierScoreDistillation().gradient(
        denoiser, latents, conditioning, step, torch.Generator().manual_seed(0)
    )
    assert set(score.t.tolist()) == {20, 21, 22, 23}


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(SettingError, match="guidance_scale is 0"):
        LearnedNullEmbedding(guidance_scale=0.0)
    with pytest.raises(SettingError, match="threshold is 300"):
        StableScoreDistillation(threshold=300.0)
