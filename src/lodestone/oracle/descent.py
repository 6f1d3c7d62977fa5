"""One descent: particles follow an estimator's gradient, and what is learned on the side learns beside them."""

from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.arrays import Latents, Times
from lodestone.distillation.bridge import SchroedingerBridge
from lodestone.distillation.estimator import AbstractEstimator, ScoreGradient
from lodestone.distillation.nfsd import NoiseFreeScoreDistillation
from lodestone.distillation.slots import AbstractAdaptiveEstimator, AbstractSlot
from lodestone.distillation.step_settings import StepSettings
from lodestone.oracle.problems import Problem
from lodestone.priors.adapters import LowRankAdapter, LowRankSettings
from lodestone.priors.denoiser import AbstractDenoiser, Prediction
from lodestone.prompts.conditioning import Conditioning, ConditioningSet

__all__ = ["Descent", "Rule", "Trajectory", "descend", "draw_gradients"]

TRAINING_COST = 3
"""Denoiser calls that a training call counts as: its backward pass costs about two more."""


class Rule(StrEnum):
    """How a gradient becomes a step."""

    ADAM = "adam"
    SGD = "sgd"


@dataclass(frozen=True, kw_only=True)
class Descent:
    """How long, how many and how fast; the same for every estimator."""

    steps: int = 400
    particles: int = 8
    rule: Rule = Rule.ADAM
    """Adam has its usual betas, 0.9 and 0.999; both rules keep their rate."""
    rate: float = 0.01
    window: tuple[int, int] = (20, 980)
    """Diffusion times, never annealed."""
    record_every: int = 10


@dataclass(frozen=True)
class Trajectory:
    """Where the particles were, and what it had cost for each of them."""

    steps: list[int]
    positions: list[Latents]
    """At the start, every `record_every` steps, and at the end."""
    calls: list[float]
    """Denoiser calls for each particle until then; a training call counts as `TRAINING_COST`."""

    @property
    def end(self) -> Latents:
        """The last positions."""
        return self.positions[-1]


class Meter(AbstractDenoiser):
    """Counts the samples that pass through another denoiser, those that gradients flow back through threefold."""

    def __init__(self, inner: AbstractDenoiser) -> None:
        super().__init__()
        self.inner, self.schedule, self.latent_shape, self.samples = inner, inner.schedule, inner.latent_shape, 0

    def forward(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        self.samples += len(noisy) * (TRAINING_COST if torch.is_grad_enabled() else 1)
        prediction: Prediction = self.inner(noisy, t, conditioning)
        return prediction

    def adapter(self, settings: LowRankSettings, rng: torch.Generator, *, parts: int = 1) -> LowRankAdapter:
        return self.inner.adapter(settings, rng, parts=parts)

    @property
    def time_width(self) -> int:
        return self.inner.time_width


def descend(estimator: AbstractEstimator, problem: Problem, plan: Descent, seed: int) -> Trajectory:
    """Follows `estimator` from the problem's start.

    The generator is seeded anew in every step, so that estimators which draw times and noise alike see the same ones,
    whatever else they draw.

    Raises: SettingError if the estimator cannot work with this prior.
    """
    denoiser, rng = Meter(problem.denoiser), torch.Generator()
    latents = problem.particles(plan.particles, rng.manual_seed(mixed(seed, -1))).requires_grad_()
    known = conditioning_for(estimator, problem, plan.particles, rng)
    estimator.check(problem.denoiser, known, plan.particles)
    mover = (torch.optim.Adam if plan.rule is Rule.ADAM else torch.optim.SGD)([latents], lr=plan.rate)
    slot, learner = fresh_slot(estimator, known, denoiser, latents, rng)
    path = Trajectory([0], [latents.detach().clone()], [0.0])
    for step in range(plan.steps):
        rng.manual_seed(mixed(seed, step))
        filled = known if slot is None else slot.fill(known)
        settings = StepSettings(step=step, steps=plan.steps, window=plan.window)
        score = estimator.gradient(denoiser, latents, filled, settings, rng)
        if slot is not None and learner is not None and isinstance(estimator, AbstractAdaptiveEstimator):
            loss = estimator.auxiliary_loss(denoiser, latents, filled, rng)
            learner.zero_grad(set_to_none=True)
            loss.backward()
            learner.step()
        latents.grad = whole_gradient(score, latents)
        mover.step()
        if (step + 1) % plan.record_every == 0 or step + 1 == plan.steps:
            path.steps.append(step + 1)
            path.positions.append(latents.detach().clone())
            path.calls.append(denoiser.samples / plan.particles)
    return path


def mixed(seed: int, step: int) -> int:
    """A generator seed for each pair; step -1 is the start, -2 what is drawn outside of descents."""
    return seed * 1_000_003 + step + 2


def conditioning_for(
    estimator: AbstractEstimator, problem: Problem, count: int, rng: torch.Generator
) -> ConditioningSet:
    """Prompt and null condition, and what single estimators need beside them.

    NFSD's negative prompt is every component that is not the prompt's. The source of the bridge is the whole prior, for
    a mixture has no component that looks like SDS's faults; its last steps are those of CSD then. View-consistent noise
    gets a memory.
    """
    known = problem.conditioning(count)
    if isinstance(estimator, NoiseFreeScoreDistillation):
        known = replace(known, negative=problem.complement.expand(count))
    if isinstance(estimator, SchroedingerBridge):
        known = replace(known, source=known.null)
    return replace(known, noise_memory=estimator.noising.memory(problem.denoiser.latent_shape, rng))


def fresh_slot(
    estimator: AbstractEstimator,
    known: ConditioningSet,
    denoiser: AbstractDenoiser,
    like: Tensor,
    rng: torch.Generator,
) -> tuple[AbstractSlot | None, torch.optim.Optimizer | None]:
    """What an adaptive estimator learns, and its optimizer; nothing for the others."""
    if not isinstance(estimator, AbstractAdaptiveEstimator):
        return None, None
    slot = estimator.slot(known, denoiser, rng).to(like.dtype)
    return slot, torch.optim.Adam(slot.parameters(), lr=estimator.learning_rate)


def whole_gradient(score: ScoreGradient, latents: Latents) -> Latents:
    """The score gradient and that of the image term, each for one particle; a picture is `(x + 1)/2`, not clamped."""
    if score.image_term is None:
        return score.gradient
    per_entry = score.image_term.weight / (2 * latents[0].numel())
    return score.gradient + per_entry * (latents.detach() - score.image_term.target)


def draw_gradients(
    estimator: AbstractEstimator, problem: Problem, point: Float[Tensor, "1 c h w"], t: int, count: int, seed: int
) -> Latents:
    """Gradients at one point (one row) and one time, with what is learned still at its beginning.

    Noise that is remembered is drawn afresh for every four of them.
    """
    rng = torch.Generator().manual_seed(mixed(seed, -2))
    together = count if estimator.noising.memory(problem.denoiser.latent_shape, rng) is None else 4
    settings = StepSettings(step=0, steps=1, window=(t, t))
    drawn = []
    for _ in range(count // together):
        latents = point.repeat(together, 1, 1, 1)
        known = conditioning_for(estimator, problem, together, rng)
        slot, _ = fresh_slot(estimator, known, problem.denoiser, latents, rng)
        filled = known if slot is None else slot.fill(known)
        score = estimator.gradient(problem.denoiser, latents, filled, settings, rng)
        drawn.append(whole_gradient(score, latents))
    return torch.cat(drawn)
