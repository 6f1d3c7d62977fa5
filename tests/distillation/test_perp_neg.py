"""Perp-Neg: what a condition has beside the prompt is pushed away, for every estimator that asks for a pair."""

from dataclasses import replace

import pytest
import torch

from lodestone.distillation.csd import ClassifierScoreDistillation
from lodestone.distillation.estimator import AbstractEstimator
from lodestone.distillation.noising import add_noise
from lodestone.distillation.scores import Scores
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.slots import AbstractAdaptiveEstimator
from lodestone.distillation.weighting import Uniform
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.guidance import perpendicular, pushed_away
from lodestone.prompts.conditioning import ConditioningSet, Opposed, VisibleSurface
from lodestone.recipes.estimators import estimators
from lodestone.testing.estimator_contract import FIXED, SCHEDULE, CountingDenoiser


def of_components(*weights: float, batch: int = 4):
    return component_conditioning(torch.tensor([list(weights)], dtype=torch.float64)).expand(batch)


def opposed_to(weight, *components: float):
    """A condition that all four samples are pushed away from."""
    return Opposed(conditioning=of_components(*components), weight=torch.full((4,), weight))


def four_component_problem(*opposed: Opposed):
    """Close components, so that every posterior is spread; the prompt is the first and the null condition all."""
    rng = torch.Generator().manual_seed(11)
    means = 0.3 * torch.randn(4, 3, 4, 4, generator=rng, dtype=torch.float64)
    denoiser = GaussianMixture(means, torch.full((4,), 0.5, dtype=torch.float64), SCHEDULE)
    latents = torch.randn(4, 3, 4, 4, generator=rng, dtype=torch.float64)
    known = ConditioningSet(positive=of_components(1, 0, 0, 0), null=of_components(1, 1, 1, 1), opposed=opposed)
    return denoiser, known, latents


def gradient(estimator: AbstractEstimator, problem):
    denoiser, conditioning, latents = problem
    return estimator.gradient(denoiser, latents, conditioning, FIXED, torch.Generator().manual_seed(3))


def normal(seed):
    return torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def inner(a, b):
    return (a * b).flatten(1).sum(1)


def test_perpendicular_part_has_no_share_of_the_direction():
    part, direction = normal(0), normal(1)
    across = perpendicular(part, direction)
    torch.testing.assert_close(inner(across, direction), torch.zeros(5).double(), atol=1e-12, rtol=0)
    along = inner(part, direction) / inner(direction, direction)
    torch.testing.assert_close(across + along[:, None, None, None] * direction, part)
    torch.testing.assert_close(perpendicular(across, direction), across)
    torch.testing.assert_close(perpendicular(part, -3 * direction), across)


def test_what_is_along_the_direction_vanishes():
    direction = normal(1)
    assert perpendicular(-2.5 * direction, direction).abs().max() < 1e-14


def test_no_direction_leaves_everything():
    part = normal(0)
    assert torch.equal(perpendicular(part, torch.zeros_like(part)), part)


def test_nothing_opposed_is_the_positive_score_itself():
    positive, null = normal(0), normal(1)
    assert pushed_away(positive, null, [], []) is positive
    assert torch.equal(pushed_away(positive, null, [normal(2)], [torch.zeros(5)]), positive)


def test_each_sample_has_its_own_weight():
    positive, null, negative = normal(0), normal(1), normal(2)
    weights = torch.tensor([0.0, -1.0, -2.0, 0.5, 0.0])
    pushed = pushed_away(positive, null, [negative], [weights])
    across = perpendicular(negative - null, positive - null)
    torch.testing.assert_close(pushed - positive, weights.double()[:, None, None, None] * across)
    assert torch.equal(pushed[[0, 4]], positive[[0, 4]])


def test_pair_is_the_published_equation_in_one_call():
    """`e_0 + s (p + sum_j w_j perp(e_j - e_0; p))` with every score evaluated apart."""
    first, second = opposed_to(-1.5, 0, 1, 0, 0), opposed_to(-0.4, 0, 0, 1, 1)
    denoiser, known, latents = four_component_problem(first, second)
    counter = CountingDenoiser(denoiser)
    noised = add_noise(latents, normal(4)[:4], torch.full((4,), 400), SCHEDULE)
    scores = Scores(counter, noised, known, FIXED, torch.Generator())
    pair = scores.pair()
    assert scores.denoiser_calls == 4 and counter.samples == 16 and counter.forwards == 1

    def score(conditioning):
        return denoiser(noised.noisy, noised.t, conditioning).noise

    null, p = score(known.null), score(known.positive) - score(known.null)
    total = p
    for part in known.opposed:
        u = score(part.conditioning) - null
        total = total + part.weight[0] * (u - (inner(u, p) / inner(p, p))[:, None, None, None] * p)
    torch.testing.assert_close(pair.null, null)
    torch.testing.assert_close(pair.guided(7.5), null + 7.5 * total)
    assert not torch.allclose(pair.difference, p)
    torch.testing.assert_close(inner(pair.difference - p, p), torch.zeros(4).double(), atol=1e-10, rtol=0)


def test_other_questions_are_answered_beside_it():
    denoiser, known, latents = four_component_problem(opposed_to(-1.0, 0, 1, 0, 0))
    noised = add_noise(latents, normal(4)[:4], torch.full((4,), 400), SCHEDULE)
    other = of_components(0, 0, 0, 1)
    scores = Scores(denoiser, noised, known, FIXED, torch.Generator())
    pair, (answer,) = scores.pair_and((noised, other))
    torch.testing.assert_close(answer, denoiser(noised.noisy, noised.t, other).noise)
    torch.testing.assert_close(pair.positive, scores.pair().positive)
    assert scores.denoiser_calls == 4 + 3


def test_weight_zero_is_the_plain_pair():
    plain = gradient(ScoreDistillation(), four_component_problem())
    zero = gradient(ScoreDistillation(), four_component_problem(opposed_to(0.0, 0, 1, 0, 0)))
    assert torch.equal(plain.gradient, zero.gradient)
    assert (plain.denoiser_calls, zero.denoiser_calls) == (2, 3)


def test_a_condition_parallel_to_the_prompt_has_no_effect():
    """The prompt itself is parallel to the prompt, and the null condition is no direction at all."""
    plain = gradient(ScoreDistillation(), four_component_problem())
    for components in ((1, 0, 0, 0), (1, 1, 1, 1)):
        same = gradient(ScoreDistillation(), four_component_problem(opposed_to(-2.0, *components)))
        torch.testing.assert_close(same.gradient, plain.gradient, rtol=1e-9, atol=1e-9)


def test_the_opposite_condition_of_two_is_parallel_to_the_prompt():
    """Of two components of equal width the null score lies between both: what the second says is only `less of the
    first`, and Perp-Neg leaves the prompt alone where plain negative prompts would not."""
    denoiser, known, latents = four_component_problem()
    pairwise = replace(known, null=of_components(1, 1, 0, 0))
    against = replace(pairwise, opposed=(opposed_to(-2.0, 0, 1, 0, 0),))
    plain, pushed = (
        gradient(ClassifierScoreDistillation(weight=Uniform()), (denoiser, c, latents)) for c in (pairwise, against)
    )
    torch.testing.assert_close(pushed.gradient, plain.gradient, rtol=1e-6, atol=1e-9)


def test_a_negative_weight_moves_away_from_the_opposed_component():
    """A step along -g loses likelihood under the opposed component, compared with the same step without Perp-Neg."""
    problem = four_component_problem()
    plain = gradient(ClassifierScoreDistillation(), problem)
    pushed = gradient(ClassifierScoreDistillation(), four_component_problem(opposed_to(-1.0, 0, 1, 0, 0)))
    towards = problem[0].means[1].view(1, 3, 4, 4) - problem[2]
    assert (inner(-pushed.gradient, towards) < inner(-plain.gradient, towards)).all()


def prepared(estimator: AbstractEstimator, problem):
    """The problem with everything that some estimator needs: what is edited, cameras, a surface, its slot."""
    denoiser, known, latents = problem
    memory = estimator.noising.memory(denoiser.latent_shape, torch.Generator().manual_seed(5))
    points = torch.rand(4, 4, 4, 3, generator=torch.Generator().manual_seed(6))
    edited = replace(
        known,
        noise_memory=memory,
        surface=VisibleSurface(points=points, opacity=torch.ones(4, 4, 4, 1)),
        negative=of_components(0, 1, 1, 1),
        source=of_components(0, 0, 1, 0),
        source_latents=latents.flip(0),
        cameras=torch.eye(4, dtype=torch.float64).flatten().expand(4, 16),
    )
    if isinstance(estimator, AbstractAdaptiveEstimator):
        slot = estimator.slot(edited, denoiser, torch.Generator().manual_seed(4)).to(latents.dtype)
        edited = slot.fill(edited)
    return denoiser, edited, latents


GUIDED_BY_PAIRS = {"sds", "csd", "ssd", "vsd"}


@pytest.mark.parametrize("name", estimators("embedded"))
def test_every_estimator_accepts_opposed_conditions(name):
    """Two more calls for each pair; an estimator that asks for none has nothing to oppose, and the same gradient."""
    estimator = estimators("embedded")[name]
    opposed = (opposed_to(-1.0, 0, 1, 0, 0), opposed_to(-0.3, 0, 0, 1, 0))
    plain = gradient(estimator, prepared(estimator, four_component_problem()))
    pushed = gradient(estimator, prepared(estimator, four_component_problem(*opposed)))
    more = pushed.denoiser_calls - plain.denoiser_calls
    assert more % 2 == 0 and pushed.gradient.isfinite().all()
    assert torch.equal(pushed.gradient, plain.gradient) == (more == 0)
    assert more == 2 or name not in GUIDED_BY_PAIRS
