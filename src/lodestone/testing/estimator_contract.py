"""The laws that every estimator obeys, as a test class to inherit.

A test of a new estimator supplies two methods, `estimator` and `mean`, and inherits everything else:

    class TestMine(EstimatorContract):
        calls = 2

        def estimator(self) -> AbstractEstimator:
            return Mine()

        def mean(self, positive, null, noise):
            return positive - null
"""

import abc
from typing import ClassVar

import torch
from torch import Tensor

from lodestone.arrays import Latents, Times
from lodestone.distillation.estimator import AbstractEstimator, ScoreGradient
from lodestone.distillation.slots import AbstractAdaptiveEstimator
from lodestone.distillation.step_settings import StepSettings
from lodestone.priors.adapters import LowRankAdapter, LowRankSettings
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import Conditioning, ConditioningSet

__all__ = ["CountingDenoiser", "EstimatorContract", "Reparametrized", "two_component_problem"]

SCHEDULE = NoiseSchedule.scaled_linear()
FIXED = StepSettings(step=0, steps=1, window=(400, 400))
"""A step at which only t = 400 can be drawn."""


class CountingDenoiser(AbstractDenoiser):
    """Counts how many samples pass through another denoiser."""

    def __init__(self, inner: AbstractDenoiser) -> None:
        super().__init__()
        self.inner, self.schedule, self.latent_shape, self.samples = inner, inner.schedule, inner.latent_shape, 0

    def forward(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        self.samples += len(noisy)
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


def two_component_problem(batch: int, side: int = 4) -> tuple[GaussianMixture, ConditioningSet, Latents]:
    """A two-component mixture in float64; the prompt keeps the first component, the null condition both."""
    rng = torch.Generator().manual_seed(7)
    means = torch.randn(2, 3, side, side, generator=rng, dtype=torch.float64)
    denoiser = GaussianMixture(means, torch.tensor([0.3, 0.6], dtype=torch.float64), SCHEDULE)
    positive = component_conditioning(torch.tensor([[1.0, 0.0]])).expand(batch)
    null = component_conditioning(torch.tensor([[0.5, 0.5]])).expand(batch)
    latents = torch.randn(batch, 3, side, side, generator=rng, dtype=torch.float64)
    return denoiser, ConditioningSet(positive=positive, null=null), latents


class EstimatorContract(abc.ABC):
    """Inherit, supply `estimator` and `mean`, and state the promised number of denoiser calls."""

    calls: ClassVar[int] = 2
    """Denoiser evaluations for each sample."""

    @abc.abstractmethod
    def estimator(self) -> AbstractEstimator:
        """The estimator under test, with weight 1 or sigma squared."""

    @abc.abstractmethod
    def mean(self, positive: Tensor, null: Tensor, noise: Tensor) -> Tensor:
        """The method's published bracket, written out for exact scores; must be linear for the Monte-Carlo law."""

    def gradient(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, latents: Latents) -> ScoreGradient:
        """The gradient at t = 400 with a fixed seed; what is learned is at its start."""
        estimator = self.estimator()
        if isinstance(estimator, AbstractAdaptiveEstimator):
            slot = estimator.slot(conditioning, denoiser, torch.Generator().manual_seed(4)).to(latents.dtype)
            conditioning = slot.fill(conditioning)
        return estimator.gradient(denoiser, latents, conditioning, FIXED, torch.Generator().manual_seed(3))

    def exact_terms(self, latents: Latents, conditioning: ConditioningSet, denoiser: AbstractDenoiser) -> list[Tensor]:
        """Positive score, null score and noise for the draw that `gradient` makes."""
        rng = torch.Generator().manual_seed(3)
        t = self.estimator().times.sample(len(latents), FIXED, denoiser.schedule, rng)
        noise = torch.randn(latents.shape, generator=rng, dtype=latents.dtype)
        noisy = denoiser.schedule.add_noise(latents, noise, t)
        return [denoiser(noisy, t, part).noise for part in (conditioning.positive, conditioning.null)] + [noise]

    def test_published_bracket(self) -> None:
        """Agrees with the formula evaluated on exact scores, to rounding."""
        denoiser, conditioning, latents = two_component_problem(6)
        score = self.gradient(denoiser, conditioning, latents)
        weight = self.estimator().weight(score.t, denoiser.schedule)[:, None, None, None]
        expected = weight * self.mean(*self.exact_terms(latents, conditioning, denoiser))
        torch.testing.assert_close(score.gradient, expected, rtol=1e-5, atol=1e-8)

    def test_same_generator_same_gradient(self) -> None:
        problem = two_component_problem(4)
        first, second = self.gradient(*problem), self.gradient(*problem)
        assert torch.equal(first.gradient, second.gradient) and torch.equal(first.t, second.t)

    def test_invariance_to_prediction_type(self) -> None:
        denoiser, conditioning, latents = two_component_problem(4)
        exact = self.gradient(denoiser, conditioning, latents).gradient
        for kind in PredictionType:
            other = self.gradient(Reparametrized(denoiser, kind), conditioning, latents).gradient
            torch.testing.assert_close(other, exact, rtol=1e-5, atol=1e-5)

    def test_promised_denoiser_calls(self) -> None:
        denoiser, conditioning, latents = two_component_problem(5)
        counter = CountingDenoiser(denoiser)
        score = self.gradient(counter, conditioning, latents)
        assert counter.samples == self.calls * len(latents)
        assert score.denoiser_calls == self.calls

    def test_samples_do_not_mix(self) -> None:
        """Changing one sample leaves the gradient of the others as it was (so that order does not matter either)."""
        denoiser, conditioning, latents = two_component_problem(4)
        before = self.gradient(denoiser, conditioning, latents).gradient
        changed = latents.clone()
        changed[2] += 1.0
        after = self.gradient(denoiser, conditioning, changed).gradient
        others = torch.tensor([0, 1, 3])
        torch.testing.assert_close(before[others], after[others], rtol=1e-12, atol=1e-12)
        assert not torch.allclose(before[2], after[2])

    def test_no_graph_is_attached(self) -> None:
        denoiser, conditioning, latents = two_component_problem(2)
        assert not self.gradient(denoiser, conditioning, latents.requires_grad_()).gradient.requires_grad
