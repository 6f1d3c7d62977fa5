"""The loop: one linear function in which both optimizations stand side by side."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from lodestone.arrays import Images
from lodestone.distillation.estimator import AbstractAdaptiveEstimator, ScoreGradient, surrogate_loss
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.interrupt import GracefulInterrupt
from lodestone.optimize.journal import Journal, StepRecord
from lodestone.optimize.regularizers import regularization, total
from lodestone.optimize.state import OptimizationState
from lodestone.optimize.watchdog import check_finite, check_parameters, check_visible
from lodestone.priors.denoiser import Prior
from lodestone.prompts.prompt import EncodedPrompt
from lodestone.scenes.scene import Rendering, StructureState

__all__ = ["optimize"]


@dataclass
class Stopwatch:
    """Seconds spent in each phase of one step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time inside the block to a phase."""
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def images_of(rendering: Rendering) -> Images:
    """Colours as pictures, channels first."""
    return rendering.color.permute(0, 3, 1, 2)


def optimize(
    experiment: Experiment, prior: Prior, prompt: EncodedPrompt, state: OptimizationState, journal: Journal
) -> bool:
    """Optimizes `state.scene` until the plan is done or the user interrupts; returns True if the plan is done.

    Raises: OptimizationStopped if the scene turns non-finite or empty; the last checkpoint stays.
    """
    plan, estimator, device, rng = experiment.plan, experiment.estimator, torch.device(experiment.device), state.rng
    with GracefulInterrupt() as interrupt:
        while state.step < plan.steps and not interrupt.requested:
            clock = Stopwatch()
            step = plan.settings(state.step, prior.denoiser.schedule)
            set_learning_rates(experiment, state)

            # What is seen.
            with clock.phase("rendering"):
                viewpoints = experiment.cameras.sample(plan.views, rng)
                background = plan.background.sample(plan.views, rng).to(device)
                cameras = viewpoints.cameras(prior.image_size, prior.image_size).to(device)
                rendering = state.scene.render(cameras, background)

            # What the prior says of it.
            conditioning = prompt.for_viewpoints(viewpoints)
            if state.slot is not None:
                conditioning = state.slot.fill(conditioning)
            with clock.phase("autoencoder"):
                latents = prior.autoencoder.encode(images_of(rendering))
            with clock.phase("denoiser"):
                score = estimator.gradient(prior.denoiser, latents, conditioning, step, rng)
            check_finite("score gradient", score.gradient, state.step)

            # The scene's step.
            terms = regularization(rendering, dict(step.regularizers))
            with clock.phase("rendering"):
                state.optimizer.zero_grad(set_to_none=True)
                (surrogate_loss(latents, score) + total(terms)).backward()
            norm = clip(state.scene, plan.gradient_clip)
            check_finite("scene's gradient", norm, state.step)
            state.optimizer.step()
            check_parameters("scene", state.scene, state.step)

            # The auxiliary step.
            auxiliary = None
            if (
                isinstance(estimator, AbstractAdaptiveEstimator)
                and state.slot is not None
                and state.slot_optimizer is not None
            ):
                with clock.phase("denoiser"):
                    auxiliary = estimator.auxiliary_loss(prior.denoiser, latents, conditioning, rng)
                    state.slot_optimizer.zero_grad(set_to_none=True)
                    auxiliary.backward()
                state.slot_optimizer.step()
                check_parameters("learned slot", state.slot, state.step)

            # The structure's step.
            structure = StructureState(state.optimizer, state.statistics, rendering.statistics)
            state.statistics = experiment.scene.adapt(state.scene, structure, state.step, rng).statistics
            check_visible(state.scene, rendering, state.step)
            state.step += 1

            losses = {name: float(term.detach()) for name, term in terms.items()}
            if auxiliary is not None:
                losses["auxiliary"] = float(auxiliary.detach())
            journal.record(StepRecord(step, score_norm(score), float(norm), losses, clock.seconds), rendering, state)
    return state.step >= plan.steps


def set_learning_rates(experiment: Experiment, state: OptimizationState) -> None:
    """Gives the optimizer this step's learning rates."""
    groups = experiment.scene.parameter_groups(state.scene, state.step / experiment.plan.steps)
    for target, group in zip(state.optimizer.param_groups, groups, strict=True):
        target["lr"] = group.learning_rate


def clip(scene: nn.Module, largest: float) -> torch.Tensor:
    """Scales the scene's gradient to at most `largest` (0: leaves it) and returns its norm before that."""
    return nn.utils.clip_grad_norm_(scene.parameters(), largest if largest > 0 else float("inf"))


def score_norm(score: ScoreGradient) -> float:
    """Mean L2 norm of the score gradient over the batch."""
    return float(score.gradient.flatten(1).norm(dim=1).mean())
