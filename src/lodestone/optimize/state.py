"""The mutable state of an optimization, and its checkpoints.

A checkpoint holds everything that the next step depends on: scene, learned slot, both optimizers' moments, the
structure's statistics and the generator. On a CPU a resumed run continues to the bit.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lodestone.distillation.slots import AbstractAdaptiveEstimator, AbstractSlot
from lodestone.errors import SettingError
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.moments import moments, set_moments
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import ConditioningSet
from lodestone.scenes.scene import AbstractScene, ParameterGroup
from lodestone.storage import load_tensors, save_tensors, section

__all__ = ["CHECKPOINT_VERSION", "OptimizationState", "load_state", "new_state", "save_state"]

CHECKPOINT_VERSION = 1
"""Raised whenever older checkpoints can no longer be continued."""


@dataclass
class OptimizationState:
    """What changes from step to step."""

    step: int
    scene: AbstractScene
    optimizer: torch.optim.Optimizer
    slot: AbstractSlot | None
    slot_optimizer: torch.optim.Optimizer | None
    statistics: Mapping[str, Tensor]
    noise_memory: Tensor | None
    """What the noising policy keeps from step to step."""
    rng: torch.Generator


def adam(groups: list[ParameterGroup]) -> torch.optim.Adam:
    """Adam with the moments that Gaussians are customarily optimized with."""
    parameters = [{"params": [g.parameter], "lr": g.learning_rate, "eps": g.epsilon, "name": g.name} for g in groups]
    return torch.optim.Adam(parameters, betas=(0.9, 0.99))


def assemble(
    experiment: Experiment,
    scene: AbstractScene,
    conditioning: ConditioningSet,
    denoiser: AbstractDenoiser,
    rng: torch.Generator,
) -> OptimizationState:
    """State around a scene, with fresh optimizers and a fresh slot."""
    estimator, device = experiment.estimator, torch.device(experiment.device)
    scene = scene.to(device)
    optimizer = adam(experiment.scene.parameter_groups(scene, 0.0))
    memory = estimator.noising.memory(denoiser.latent_shape, rng)
    memory = None if memory is None else memory.to(device)
    if not isinstance(estimator, AbstractAdaptiveEstimator):
        return OptimizationState(0, scene, optimizer, None, None, {}, memory, rng)
    slot = estimator.slot(conditioning, denoiser, rng).to(device)
    slot_optimizer = torch.optim.Adam(slot.parameters(), lr=estimator.learning_rate)
    return OptimizationState(0, scene, optimizer, slot, slot_optimizer, {}, memory, rng)


def new_state(
    experiment: Experiment,
    conditioning: ConditioningSet,
    denoiser: AbstractDenoiser,
    begin: Callable[[torch.Generator], AbstractScene],
) -> OptimizationState:
    """The state before the first step; `begin` makes the scene.

    Raises: SettingError if the estimator cannot work with the denoiser, the prompt or the number of views.
    """
    experiment.estimator.check(denoiser, conditioning, experiment.plan.views)
    rng = torch.Generator().manual_seed(experiment.seed)
    return assemble(experiment, begin(rng), conditioning, denoiser, rng)


def save_state(path: Path, state: OptimizationState) -> None:
    """Writes a checkpoint atomically."""
    tensors = {f"scene.{name}": tensor for name, tensor in state.scene.state_dict().items()}
    tensors |= moments("optimizer", state.scene, state.optimizer)
    tensors |= {f"statistics.{name}": tensor for name, tensor in state.statistics.items()}
    tensors["generator"] = state.rng.get_state()
    if state.noise_memory is not None:
        tensors["noise_memory"] = state.noise_memory
    if state.slot is not None and state.slot_optimizer is not None:
        tensors |= {f"slot.{name}": tensor for name, tensor in state.slot.state_dict().items()}
        tensors |= moments("slot_optimizer", state.slot, state.slot_optimizer)
    save_tensors(path, tensors, {"step": state.step, "version": CHECKPOINT_VERSION})


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a checkpoint.

    Raises: SettingError if the file is damaged or of another version.
    """
    try:
        tensors, metadata = load_tensors(path)
    except SettingError as error:
        raise SettingError(f"{error} (write its name into {path.parent / 'last'})") from error
    if metadata.get("version") != CHECKPOINT_VERSION:
        raise SettingError(
            f"{path} was written by another version (checkpoint version {metadata.get('version')}, "
            f"this is {CHECKPOINT_VERSION}): continue it with the version that wrote it"
        )
    return tensors, metadata


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """Raises: SettingError instead of whatever a checkpoint of another experiment leads to."""
    try:
        yield
    except (KeyError, RuntimeError, TypeError) as error:
        raise SettingError(f"{path} does not fit its experiment.yaml: undo what was changed there") from error


def load_scene(path: Path, experiment: Experiment) -> AbstractScene:
    """The scene of a checkpoint alone."""
    tensors, _ = read_checkpoint(path)
    with fitting(path):
        return experiment.scene.restore(section(tensors, "scene"))


def load_state(
    path: Path, experiment: Experiment, conditioning: ConditioningSet, denoiser: AbstractDenoiser
) -> OptimizationState:
    """Continues where `save_state` stopped."""
    tensors, metadata = read_checkpoint(path)
    with fitting(path):
        scene = experiment.scene.restore(section(tensors, "scene"))
        state = assemble(experiment, scene, conditioning, denoiser, torch.Generator())
        state.rng.set_state(tensors["generator"])
        set_moments("optimizer", state.scene, state.optimizer, tensors)
        state.step, state.statistics = metadata["step"], section(tensors, "statistics")
        if state.noise_memory is not None:
            state.noise_memory.copy_(tensors["noise_memory"])
        if state.slot is not None and state.slot_optimizer is not None:
            state.slot.load_state_dict(section(tensors, "slot"))
            set_moments("slot_optimizer", state.slot, state.slot_optimizer, tensors)
    return state
