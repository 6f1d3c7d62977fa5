"""The laws that every estimator obeys, as a test class to inherit.

A test of a new estimator supplies two methods, `estimator` and `mean`, and inherits everything else:

    class TestMine(EstimatorContract):
        calls = 2

        def estimator(self) -> AbstractEstimator:
            return Mine()

        def mean(self, positive, null, noise):
            return positive - null

A bracket of more than these three derives from `AbstractEstimatorContract` and supplies `bracket` in the place of
`mean`; it receives an `ExactScores`, which answers everything that can be known of the draw.
"""

import abc
import math
from dataclasses import dataclass, replace
from typing import ClassVar
from unittest import SkipTest

import torch
from torch import Tensor

from lodestone.arrays import Latents, Times
from lodestone.distillation.estimator import AbstractEstimator, ScoreGradient
from lodestone.distillation.noising import IndependentNoise, Noised, add_noise, standard_normal
from lodestone.distillation.slots import AbstractAdaptiveEstimator
from lodestone.distillation.step_settings import StepSettings
from lodestone.priors.adapters import LowRankAdapter, LowRankSettings
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.priors.noise import NoiseSchedule, over_batch
from lodestone.prompts.conditioning import Conditioning, ConditioningSet

__all__ = [
    "AbstractEstimatorContract",
    "CountingDenoiser",
    "EstimatorContract",
    "ExactScores",
    "Reparametrized",
    "complete_problem",
    "gaussian_problem",
    "point_problem",
    "two_component_problem",
]

Problem = tuple[GaussianMixture, ConditioningSet, Latents]

SCHEDULE = NoiseSchedule.scaled_linear()
FIXED = StepSettings(step=0, steps=1, window=(400, 400))
"""A step at which only t = 400 can be drawn."""
DRAWS = 2048
"""Draws of the Monte-Carlo law; a multiple of every `views`."""


class CountingDenoiser(AbstractDenoiser):
    """Counts how often another denoiser is called, and with how many samples."""

    def __init__(self, inner: AbstractDenoiser) -> None:
        super().__init__()
        self.inner, self.schedule, self.latent_shape = inner, inner.schedule, inner.latent_shape
        self.samples = self.forwards = 0

    def forward(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        self.samples += len(noisy)
        self.forwards += 1
        prediction: Prediction = self.inner(noisy, t, conditioning)
        return prediction

    def adapter(self, settings: LowRankSettings, rng: torch.Generator, *, parts: int = 1) -> LowRankAdapter:
        return self.inner.adapter(settings, rng, parts=parts)


class Reparametrized(AbstractDenoiser):
    """The same model as if its network put out noise, the clean sample, the velocity or the flow."""

    def __init__(self, inner: AbstractDenoiser, kind: PredictionType) -> None:
        super().__init__()
        self.inner, self.kind, self.schedule, self.latent_shape = inner, kind, inner.schedule, inner.latent_shape

    def forward(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        exact = self.inner(noisy, t, conditioning)
        outputs = {
            PredictionType.NOISE: exact.noise,
            PredictionType.CLEAN: exact.clean,
            PredictionType.VELOCITY: exact.velocity,
            PredictionType.FLOW: exact.flow,
        }
        return Prediction.of(self.kind, outputs[self.kind], noisy, t, self.schedule)

    def adapter(self, settings: LowRankSettings, rng: torch.Generator, *, parts: int = 1) -> LowRankAdapter:
        return self.inner.adapter(settings, rng, parts=parts)


def condition(*included: float, batch: int) -> Conditioning:
    """The same weights of the components for every sample."""
    return component_conditioning(torch.tensor([included])).expand(batch)


def two_component_problem(batch: int, side: int = 4) -> Problem:
    """A two-component mixture in float64; the prompt keeps the first component, the null condition both."""
    rng = torch.Generator().manual_seed(7)
    means = torch.randn(2, 3, side, side, generator=rng, dtype=torch.float64)
    denoiser = GaussianMixture(means, torch.tensor([0.3, 0.6], dtype=torch.float64), SCHEDULE)
    positive, null = condition(1.0, 0.0, batch=batch), condition(0.5, 0.5, batch=batch)
    latents = torch.randn(batch, 3, side, side, generator=rng, dtype=torch.float64)
    return denoiser, ConditioningSet(positive=positive, null=null), latents


def complete_problem(batch: int, *, negative: bool = True) -> Problem:
    """The same with a source and its wording, and with a negative prompt if wanted."""
    denoiser, conditioning, latents = two_component_problem(batch)
    rng = torch.Generator().manual_seed(8)
    complete = replace(
        conditioning,
        negative=condition(0.1, 0.9, batch=batch) if negative else None,
        source=condition(0.7, 0.3, batch=batch),
        source_latents=torch.randn(latents.shape, generator=rng, dtype=latents.dtype),
    )
    return denoiser, complete, latents


def gaussian_problem(batch: int, *, negative: bool = True) -> Problem:
    """Every condition is one Gaussian, whose score is affine in the noise; all samples are equal."""
    _, _, (latents, source) = two_component_problem(2)
    means = 0.7 * torch.randn(4, *latents.shape, generator=torch.Generator().manual_seed(9), dtype=latents.dtype)
    denoiser = GaussianMixture(means, torch.tensor([0.3, 0.5, 0.4, 0.6], dtype=latents.dtype), SCHEDULE)
    prompt, null, avoided, wording = (condition(*row, batch=batch) for row in torch.eye(4).tolist())
    conditioning = ConditioningSet(
        positive=prompt,
        null=null,
        negative=avoided if negative else None,
        source=wording,
        source_latents=source.expand(batch, *source.shape),
    )
    return denoiser, conditioning, latents.expand(batch, *latents.shape)


def point_problem(batch: int, *, negative: bool = True) -> Problem:
    """The prior is one point, and so are latents and source: every score is the very noise that was added."""
    _, conditioning, latents = complete_problem(batch, negative=negative)
    same = latents[:1].expand_as(latents)
    denoiser = GaussianMixture(torch.cat([latents[:1]] * 2), 0.0, SCHEDULE)
    return denoiser, replace(conditioning, source_latents=same), same


@dataclass(frozen=True)
class ExactScores:
    """One draw of times and noise, and the exact scores there, each from a denoiser call of its own."""

    denoiser: AbstractDenoiser
    conditioning: ConditioningSet
    noised: Noised
    generator_state: Tensor
    """After the draw."""

    @property
    def positive(self) -> Tensor:
        """`eps_y`."""
        return self.predict(self.conditioning.positive)

    @property
    def null(self) -> Tensor:
        """`eps_null`."""
        return self.predict(self.conditioning.null)

    @property
    def negative(self) -> Tensor:
        """`eps_n`."""
        assert self.conditioning.negative is not None
        return self.predict(self.conditioning.negative)

    @property
    def noise(self) -> Tensor:
        """`eps`."""
        return self.noised.noise

    @property
    def rng(self) -> torch.Generator:
        """A generator in the state in which the estimator finds its own."""
        rng = torch.Generator()
        rng.set_state(self.generator_state)
        return rng

    def predict(self, conditioning: Conditioning | None, noised: Noised | None = None) -> Tensor:
        """The noise predicted under a condition, at the draw or elsewhere."""
        assert conditioning is not None
        at = self.noised if noised is None else noised
        prediction: Prediction = self.denoiser(at.noisy, at.t, conditioning)
        return prediction.noise

    def renoised(self, clean: Tensor, t: Tensor | None = None) -> Noised:
        """Other latents, or another time, with the same noise."""
        return add_noise(clean, self.noise, self.noised.t if t is None else t, self.denoiser.schedule)


class AbstractEstimatorContract(abc.ABC):
    """Inherit, supply `estimator` and `bracket`, and state the promised number of denoiser calls."""

    calls: ClassVar[int] = 2
    """Denoiser evaluations for each sample."""
    forwards: ClassVar[int] = 1
    """Denoiser calls for the whole batch, where the noise is independent."""
    views: ClassVar[int] = 1
    """Consecutive samples that the method treats together."""
    balanced: ClassVar[bool] = True
    """Whether the bracket's coefficients sum to 0."""
    negative: ClassVar[bool] = True
    """Whether the problems have a negative prompt."""
    step: ClassVar[StepSettings] = FIXED

    @abc.abstractmethod
    def estimator(self) -> AbstractEstimator:
        """The estimator under test."""

    @abc.abstractmethod
    def bracket(self, exact: ExactScores) -> Tensor:
        """The method's published bracket, written out for exact scores."""

    def filled(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, latents: Latents) -> ConditioningSet:
        """The conditioning, with what is learned at its start."""
        estimator = self.estimator()
        if not isinstance(estimator, AbstractAdaptiveEstimator):
            return conditioning
        slot = estimator.slot(conditioning, denoiser, torch.Generator().manual_seed(4)).to(latents.dtype)
        return slot.fill(conditioning)

    def gradient(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, latents: Latents) -> ScoreGradient:
        """The gradient with a fixed seed."""
        filled = self.filled(denoiser, conditioning, latents)
        return self.estimator().gradient(denoiser, latents, filled, self.step, torch.Generator().manual_seed(3))

    def published(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, latents: Latents) -> Tensor:
        """The bracket for the draw that `gradient` makes."""
        filled, rng = self.filled(denoiser, conditioning, latents), torch.Generator().manual_seed(3)
        t = self.estimator().times.sample(len(latents), self.step, denoiser.schedule, rng)
        noised = self.estimator().noising(latents, t, denoiser, filled, rng)
        return self.bracket(ExactScores(denoiser, filled, noised, rng.get_state()))

    def weight(self, t: Tensor) -> Tensor:
        """`w(t)`, shaped to multiply latents."""
        return over_batch(self.estimator().weight(t, SCHEDULE))

    def test_published_bracket(self) -> None:
        """Agrees with the formula evaluated on exact scores, to rounding."""
        problem = complete_problem(6 * self.views, negative=self.negative)
        score = self.gradient(*problem)
        expected = self.weight(score.t) * self.published(*problem)
        torch.testing.assert_close(score.gradient, expected, rtol=1e-5, atol=1e-8)

    def test_mean_over_the_noise_on_gaussians(self) -> None:
        """`E g` where every condition is one Gaussian, within 5 standard errors of 2,048 draws.

        Each reference draw is averaged with its mirror image -eps. As scores are affine in the noise there, that
        leaves the closed form of every linear bracket, its value at eps = 0, without any error of its own.
        """
        denoiser, _, latents = problem = gaussian_problem(DRAWS, negative=self.negative)
        filled, estimator, rng = self.filled(*problem), self.estimator(), torch.Generator().manual_seed(11)
        if not isinstance(estimator.noising, IndependentNoise):
            raise SkipTest("the noise is not independent")
        t = estimator.times.sample(DRAWS, self.step, denoiser.schedule, rng)
        noise, state = standard_normal(latents, rng), rng.get_state()
        mirrored = (add_noise(latents, signed, t, denoiser.schedule) for signed in (noise, -noise))
        first, second = (self.bracket(ExactScores(denoiser, filled, noised, state)) for noised in mirrored)
        drawn, error = mean_and_error(self.gradient(*problem).gradient, self.views)
        expected, own_error = mean_and_error(self.weight(t) * (first + second) / 2, self.views)
        assert ((drawn - expected).abs() < 5 * (error.square() + own_error.square()).sqrt() + 1e-9).all()

    def test_coefficients_sum_to_zero(self) -> None:
        """Where every score is the noise itself, nothing is left of a balanced bracket."""
        gradient = self.gradient(*point_problem(2 * self.views, negative=self.negative)).gradient
        assert bool(gradient.abs().max() < 1e-6) is self.balanced

    def test_same_generator_same_gradient(self) -> None:
        problem = complete_problem(4 * self.views, negative=self.negative)
        first, second = self.gradient(*problem), self.gradient(*problem)
        assert torch.equal(first.gradient, second.gradient) and torch.equal(first.t, second.t)

    def test_invariance_to_prediction_type(self) -> None:
        denoiser, conditioning, latents = complete_problem(4 * self.views, negative=self.negative)
        exact = self.gradient(denoiser, conditioning, latents).gradient
        for kind in PredictionType:
            other = self.gradient(Reparametrized(denoiser, kind), conditioning, latents).gradient
            torch.testing.assert_close(other, exact, rtol=1e-5, atol=1e-5)

    def test_promised_denoiser_calls(self) -> None:
        denoiser, conditioning, latents = complete_problem(5 * self.views, negative=self.negative)
        counter = CountingDenoiser(denoiser)
        score = self.gradient(counter, conditioning, latents)
        assert counter.samples == self.calls * len(latents)
        assert score.denoiser_calls == self.calls
        if isinstance(self.estimator().noising, IndependentNoise):
            assert counter.forwards == self.forwards

    def test_samples_do_not_mix(self) -> None:
        """Changing one sample leaves the gradient of the others as it was (so that order does not matter either).

        Samples that belong together are one sample in this.
        """
        denoiser, conditioning, latents = complete_problem(4 * self.views, negative=self.negative)
        before = self.gradient(denoiser, conditioning, latents).gradient
        changed = latents.clone()
        changed[2 * self.views] += 1.0
        after = self.gradient(denoiser, conditioning, changed).gradient
        others = torch.arange(len(latents)) // self.views != 2
        torch.testing.assert_close(before[others], after[others], rtol=1e-12, atol=1e-12)
        assert not torch.allclose(before[~others], after[~others])

    def test_no_graph_is_attached(self) -> None:
        denoiser, conditioning, latents = complete_problem(2 * self.views, negative=self.negative)
        assert not self.gradient(denoiser, conditioning, latents.requires_grad_()).gradient.requires_grad


class EstimatorContract(AbstractEstimatorContract, abc.ABC):
    """Inherit, supply `estimator` and `mean`, and state the promised number of denoiser calls."""

    negative = False

    @abc.abstractmethod
    def mean(self, positive: Tensor, null: Tensor, noise: Tensor) -> Tensor:
        """The method's published bracket, written out for exact scores."""

    def bracket(self, exact: ExactScores) -> Tensor:
        return self.mean(exact.positive, exact.null, exact.noise)

    def exact_terms(self, latents: Latents, conditioning: ConditioningSet, denoiser: AbstractDenoiser) -> list[Tensor]:
        """Positive score, null score and noise for the draw that `gradient` makes; to be written out anew where the
        noise is not independent."""
        rng = torch.Generator().manual_seed(3)
        t = self.estimator().times.sample(len(latents), self.step, denoiser.schedule, rng)
        noise = torch.randn(latents.shape, generator=rng, dtype=latents.dtype)
        noisy = denoiser.schedule.add_noise(latents, noise, t)
        return [denoiser(noisy, t, part).noise for part in (conditioning.positive, conditioning.null)] + [noise]

    def published(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, latents: Latents) -> Tensor:
        return self.mean(*self.exact_terms(latents, conditioning, denoiser))


def mean_and_error(draws: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Mean over the draws and its standard error, from blocks of draws that may depend on each other."""
    means = draws.unflatten(0, (-1, block)).mean(1)
    return means.mean(0), means.std(0) / math.sqrt(len(means))
