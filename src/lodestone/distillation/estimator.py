"""The interface of every estimator.

A score-distillation gradient with respect to clean latents x is

    g = w(t) * residual(x_t, t, eps),   x_t = alpha_t x + sigma_t eps ,

where the residual is nearly always a linear combination of scores. Five choices are independent: the law of t, the
noise, the scores with their coefficients (one file for each method), the weight, and what is learned on the side.

Estimators are frozen dataclasses: settings and method in one. What an adaptive estimator learns lives in its *slot*, a
module that the loop owns, optimizes beside the scene and stores in checkpoints.
"""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.arrays import Latents, Times
from lodestone.distillation.noising import IndependentNoise, Noised, Noising
from lodestone.distillation.timesteps import TimeLaw, UniformTimes
from lodestone.distillation.weighting import SigmaSquared, Weight
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.noise import over_batch
from lodestone.prompts.conditioning import ConditioningSet

__all__ = [
    "AbstractAdaptiveEstimator",
    "AbstractEstimator",
    "AbstractSlot",
    "Residual",
    "ScoreGradient",
    "StepSettings",
]


@dataclass(frozen=True, kw_only=True)
class StepSettings:
    """Everything annealed, evaluated at one step by the loop, handed down and logged."""

    step: int
    steps: int
    window: tuple[int, int]
    """Smallest and largest diffusion time of this step, both included."""
    regularizers: Mapping[str, float] = field(default_factory=dict)
    """Weight of each regularizer, by name."""


@dataclass(frozen=True)
class Residual:
    """An estimator's answer before the weight."""

    value: Latents
    terms: Mapping[str, Latents]
    """Named parts, for figures, logs and tests."""
    denoiser_calls: int
    """Denoiser evaluations for each sample."""


@dataclass(frozen=True)
class ScoreGradient:
    """The gradient with respect to clean latents; weighted, finite, no graph attached."""

    gradient: Latents
    t: Times
    terms: Mapping[str, Latents]
    denoiser_calls: int


@dataclass(frozen=True, kw_only=True)
class AbstractEstimator(abc.ABC):
    """An estimator of the gradient that moves a rendering towards the prior's conditional distribution."""

    times: TimeLaw = UniformTimes()
    noising: Noising = IndependentNoise()
    weight: Weight = SigmaSquared()

    @abc.abstractmethod
    def residual(self, denoiser: AbstractDenoiser, noised: Noised, conditioning: ConditioningSet) -> Residual:
        """The bracket of the method's equation; called without gradient tracking."""

    @torch.no_grad()
    def gradient(
        self,
        denoiser: AbstractDenoiser,
        latents: Latents,
        conditioning: ConditioningSet,
        step: StepSettings,
        rng: torch.Generator,
    ) -> ScoreGradient:
        """`w(t) * residual` at a freshly drawn time and noise."""
        t = self.times.sample(len(latents), step.window, rng).to(latents.device)
        noised = self.noising(latents.detach(), t, denoiser.schedule, rng)
        residual = self.residual(denoiser, noised, conditioning)
        weighted = over_batch(self.weight(t, denoiser.schedule)) * residual.value
        return ScoreGradient(weighted.to(latents.dtype), t, residual.terms, residual.denoiser_calls)


class AbstractSlot(nn.Module, abc.ABC):
    """What is learned on the side, and how it enters the conditioning."""

    @abc.abstractmethod
    def fill(self, conditioning: ConditioningSet) -> ConditioningSet:
        """The conditioning with the learned part in its place."""


@dataclass(frozen=True, kw_only=True)
class AbstractAdaptiveEstimator(AbstractEstimator, abc.ABC):
    """An estimator that learns parameters along with the scene."""

    learning_rate: float = 1e-4
    """Adam's learning rate for the slot."""

    @abc.abstractmethod
    def slot(self, conditioning: ConditioningSet) -> AbstractSlot:
        """The learnable part in its initial state."""

    @abc.abstractmethod
    def auxiliary_loss(
        self, denoiser: AbstractDenoiser, latents: Latents, conditioning: ConditioningSet, rng: torch.Generator
    ) -> Float[Tensor, ""]:
        """The loss of the learnable part on detached latents; `conditioning` has been filled by the slot."""


def surrogate_loss(latents: Latents, score: ScoreGradient) -> Float[Tensor, ""]:
    """A scalar whose gradient with respect to the latents is `score.gradient / batch`.

    `<latents, stopgrad(gradient)> / b`: per-sample sums over latent entries divided by the batch, as in the papers.
    """
    return (latents * score.gradient).sum() / len(latents)
