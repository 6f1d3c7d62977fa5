"""The loop: one linear function in which both optimizations stand side by side."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lodestone.arrays import Images, Latents
from lodestone.distillation.estimator import ImageTerm, ScoreGradient, surrogate_loss
from lodestone.distillation.slots import AbstractAdaptiveEstimator, compare_with_start
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.interrupt import GracefulInterrupt
from lodestone.optimize.journal import Journal, StepRecord
from lodestone.optimize.regularizers import regularization, total
from lodestone.optimize.state import OptimizationState
from lodestone.optimize.watchdog import check_finite, check_parameters, check_visible
from lodestone.priors.denoiser import Prior
from lodestone.prompts.conditioning import ConditioningSet, VisibleSurface
from lodestone.prompts.prompt import EncodedPrompt
from lodestone.rendering.cameras import Cameras, Viewpoints
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


def images_of(rendering: Rendering, size: int) -> Images:
    """Colours as pictures of the size that the prior takes, channels first."""
    pictures = rendering.color.permute(0, 3, 1, 2)
    if pictures.shape[-1] == size:
        return pictures
    return interpolate(pictures, size=(size, size), mode="bilinear", antialias=pictures.shape[-1] > size)


def latents_of(rendering: Rendering, prior: Prior) -> Latents:
    """What the denoiser sees: the encoded picture, or the latents that a scene holds itself."""
    if rendering.latents is not None:
        return rendering.latents
    return prior.autoencoder.encode(images_of(rendering, prior.image_size))


def image_loss(rendering: Rendering, term: ImageTerm, prior: Prior) -> Float[Tensor, ""]:
    """The estimator's term in image space; the decoder has no gradient to give."""
    with torch.no_grad():
        target = prior.autoencoder.decode(term.target)
    latents = rendering.latents
    picture = images_of(rendering, prior.image_size) if latents is None else prior.autoencoder.decode(latents)
    return term.weight * (picture - target).square().mean()


def visible_surface(rendering: Rendering, cameras: Cameras) -> VisibleSurface | None:
    """Where each pixel meets the scene; None for a flat one."""
    if not rendering.depth.any():
        return None
    points = cameras.points(rendering.depth.detach())
    return VisibleSurface(points=points, opacity=rendering.opacity.detach())


def conditioning_of(
    prompt: EncodedPrompt, viewpoints: Viewpoints, cameras: Cameras, rendering: Rendering, state: OptimizationState
) -> ConditioningSet:
    """What the denoiser is told of these views."""
    conditioning = replace(
        prompt.for_viewpoints(viewpoints),
        cameras=cameras.camera_to_world.flatten(1),
        surface=None if state.noise_memory is None else visible_surface(rendering, cameras),
        noise_memory=state.noise_memory,
        source_latents=rendering.source_latents,
    )
    return conditioning if state.slot is None else state.slot.fill(conditioning)


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
                cameras = viewpoints.cameras(side := plan.side(state.step, prior.image_size), side).to(device)
                rendering = state.scene.render(cameras, background, rng)

            # What the prior says of it.
            conditioning = conditioning_of(prompt, viewpoints, cameras, rendering, state)
            with clock.phase("autoencoder"):
                latents = latents_of(rendering, prior)
            with clock.phase("denoiser"):
                score = estimator.gradient(prior.denoiser, latents, conditioning, step, rng)
            check_finite("score gradient", score.gradient, state.step)

            # The scene's step.
            terms = regularization(rendering, dict(step.regularizers))
            if score.image_term is not None:
                with clock.phase("autoencoder"):
                    terms["image"] = image_loss(rendering, score.image_term, prior)
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
            if auxiliary is not None and state.slot is not None:
                losses["auxiliary"] = float(auxiliary.detach())
                if plan.compare_slot_every and state.step % plan.compare_slot_every == 0:
                    filled = state.slot.fill(conditioning)
                    losses |= compare_with_start(prior.denoiser, latents, filled, state.slot, state.step)
            calls = score.denoiser_calls
            record = StepRecord(step, score_norm(score), float(norm), losses, clock.seconds, calls)
            journal.record(record, rendering, state)
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
