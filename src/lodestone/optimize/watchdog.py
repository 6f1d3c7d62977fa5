"""Stops a run that can no longer end well, and says why."""

import torch
from torch import Tensor, nn

from lodestone.scenes.scene import AbstractScene, Rendering

__all__ = ["OptimizationStopped", "check_finite", "check_parameters", "check_visible"]

FAINTEST = 0.004
"""Coverage and peak opacity below this (1/255) show nothing on any screen."""


class OptimizationStopped(RuntimeError):
    """The run stopped itself; the last good checkpoint is kept."""


def check_finite(name: str, tensor: Tensor, step: int) -> None:
    """Raises: OptimizationStopped if a number is infinite or not a number."""
    if not bool(torch.isfinite(tensor).all()):
        raise OptimizationStopped(
            f"step {step}: the {name} is no longer finite; lower the learning rates or the guidance scale"
        )


def check_parameters(name: str, module: nn.Module, step: int) -> None:
    """Raises: OptimizationStopped if a step has made a parameter non-finite: no checkpoint may hold it."""
    for parameter in module.parameters():
        check_finite(name, parameter.detach(), step)


def check_visible(scene: AbstractScene, rendering: Rendering, step: int) -> None:
    """Raises: OptimizationStopped if nothing of the scene is left to see."""
    if scene.coverage() < FAINTEST or float(rendering.opacity.detach().amax()) < FAINTEST:
        raise OptimizationStopped(
            f"step {step}: the scene has become empty; lower plan.regularizers.sparsity, the learning rates or, of "
            "Gaussians, scene.density.prune_opacity"
        )
