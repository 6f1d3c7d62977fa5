"""The interface of every estimator.

A score-distillation gradient with respect to clean latents x is

    g = w(t) * residual(x_t, t, eps),   x_t = alpha_t x + sigma_t eps ,

where the residual is nearly always a linear combination of scores. Five choices are independent: the law of t, the
noise, the scores with their coefficients (one file for each method), the weight, and what is learned on the side.

Estimators are frozen dataclasses: settings and method in one. What an adaptive estimator learns lives in its *slot*, a
module that the loop owns, optimizes beside the scene and stores in checkpoints (`slots`).
"""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.arrays import Latents, Times
from lodestone.distillation.noising import AbstractNoising, IndependentNoise
from lodestone.distillation.scores import Scores
from lodestone.distillation.step_settings import StepSettings
from lodestone.distillation.timesteps import AbstractTimeLaw, UniformTimes
from lodestone.distillation.weighting import AbstractWeight, SigmaSquared
from lodestone.errors import SettingError
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.guidance import guided, rescaled
from lodestone.priors.noise import over_batch
from lodestone.prompts.conditioning import ConditioningSet
from lodestone.schedules import AbstractSchedule, Constant

__all__ = [
    "AbstractEstimator",
    "AbstractGuidedEstimator",
    "ImageTerm",
    "Residual",
    "ScoreGradient",
    "surrogate_loss",
]


@dataclass(frozen=True)
class ImageTerm:
    """A term of the loss in image space: `weight * mean ||picture - decode(target)||^2` for each sample."""

    target: Latents
    weight: float


@dataclass(frozen=True)
class Residual:
    """An estimator's answer before the weight."""

    value: Latents
    terms: Mapping[str, Latents] = field(default_factory=dict)
    """Named parts, for figures, logs and tests."""
    image_term: ImageTerm | None = None


@dataclass(frozen=True)
class ScoreGradient:
    """The gradient with respect to clean latents; weighted, no graph attached."""

    gradient: Latents
    t: Times
    terms: Mapping[str, Latents]
    denoiser_calls: int
    """Denoiser evaluations for each sample, those of the noising policy included."""
    image_term: ImageTerm | None = None


@dataclass(frozen=True, kw_only=True)
class AbstractEstimator(abc.ABC):
    """An estimator of the gradient that moves a rendering towards the prior's conditional distribution."""

    times: AbstractTimeLaw = UniformTimes()
    noising: AbstractNoising = IndependentNoise()
    weight: AbstractWeight = SigmaSquared()
    score_clip: AbstractSchedule = Constant(0.0)
    """Every entry of g is clamped to [-c, c] (debiased SDS, Hong et al. 2023, arXiv 2303.15413); 0 clips nothing."""
    allows_perp_neg: ClassVar[bool] = True
    """Whether the residual is built on `Scores.pair`, where Perp-Neg acts."""

    @abc.abstractmethod
    def residual(self, scores: Scores) -> Residual:
        """The bracket of the method's equation; called without gradient tracking."""

    def check(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, views: int) -> None:
        """Raises: SettingError before any work starts if the estimator lacks something or cannot use what there is.

        Args:
            conditioning: what the prompt has become; of its batch and of views nothing is known yet.
            views: samples of each step.
        """
        self.noising.check(denoiser)
        if conditioning.opposed and not self.allows_perp_neg:
            raise SettingError(
                "prompt.perp_neg is true, but this estimator has no guidance between prompt and null condition that "
                "it could act on: set it to false"
            )

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
        schedule = denoiser.schedule
        t = self.times.sample(len(latents), step, schedule, rng).to(latents.device)
        noised = self.noising(latents.detach(), t, denoiser, conditioning, rng)
        scores = Scores(denoiser, noised, conditioning, step, rng, noised.denoiser_calls)
        residual = self.residual(scores)
        weighted = over_batch(self.weight(noised.t, schedule)) * residual.value
        if (limit := self.score_clip(step.step)) > 0:
            weighted = weighted.clamp(-limit, limit)
        return ScoreGradient(
            weighted.to(latents.dtype), noised.t, residual.terms, scores.denoiser_calls, residual.image_term
        )


@dataclass(frozen=True, kw_only=True)
class AbstractGuidedEstimator(AbstractEstimator, abc.ABC):
    """An estimator whose score of the prior is guided."""

    guidance_scale: float = 100.0
    """s; 1 is the conditional model."""
    guidance_rescale: float = 0.0
    """Share of the rescaling that gives the guided clean prediction the standard deviation of the conditional one
    (Lin et al. 2023, arXiv 2305.08891, Sec. 3.4); 0 is plain guidance."""

    def guide(self, scores: Scores, positive: Latents, null: Latents) -> Latents:
        """`eps_s = eps_null + s (eps_y - eps_null)`, rescaled if asked for."""
        plain = guided(positive, null, self.guidance_scale)
        if self.guidance_rescale == 0:
            return plain
        return rescaled(plain, positive, scores.noised.noisy, scores.t, scores.schedule, self.guidance_rescale)


def surrogate_loss(latents: Latents, score: ScoreGradient) -> Float[Tensor, ""]:
    """A scalar whose gradient with respect to the latents is `score.gradient / batch`.

    `<latents, stopgrad(gradient)> / b`: per-sample sums over latent entries divided by the batch, as in the papers.
    """
    return (latents * score.gradient).sum() / len(latents)
