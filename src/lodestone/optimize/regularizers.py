"""Losses on renderings that keep a scene solid; each weighted by a schedule."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.scenes.scene import Rendering
from lodestone.schedules import AbstractSchedule, Constant

__all__ = ["Regularizers", "opaqueness", "regularization", "smoothness", "sparsity"]


@dataclass(frozen=True, kw_only=True)
class Regularizers:
    """The weight of each regularizer over the steps."""

    sparsity: AbstractSchedule = Constant(0.0)
    opaqueness: AbstractSchedule = Constant(0.0)
    smoothness: AbstractSchedule = Constant(0.0)

    def weights(self, step: int) -> dict[str, float]:
        """The weights at a step, by name."""
        return {field.name: getattr(self, field.name)(step) for field in fields(self)}


def sparsity(rendering: Rendering) -> Float[Tensor, ""]:
    """`mean sqrt(opacity^2 + 0.01)` (DreamFusion, Poole et al. 2022, arXiv 2209.14988): nothing floats for free."""
    return (rendering.opacity.square() + 0.01).sqrt().mean()


def opaqueness(rendering: Rendering) -> Float[Tensor, ""]:
    """Binary entropy of the opacity, clamped to [1e-3, 1 - 1e-3]: every pixel is object or background."""
    o = rendering.opacity.clamp(1e-3, 1 - 1e-3)
    return -(o * o.log() + (1 - o) * (1 - o).log()).mean()


def smoothness(rendering: Rendering) -> Float[Tensor, ""]:
    """Mean absolute difference of neighbouring expected depths where both pixels are opaque (total variation)."""
    depth, weight = rendering.depth, rendering.opacity.detach()
    rows = ((depth[:, 1:] - depth[:, :-1]).abs() * weight[:, 1:] * weight[:, :-1]).mean()
    columns = ((depth[:, :, 1:] - depth[:, :, :-1]).abs() * weight[:, :, 1:] * weight[:, :, :-1]).mean()
    return rows + columns


def regularization(rendering: Rendering, weights: dict[str, float]) -> dict[str, Float[Tensor, ""]]:
    """Each regularizer with a non-zero weight, already weighted."""
    terms = {"sparsity": sparsity, "opaqueness": opaqueness, "smoothness": smoothness}
    return {name: weights[name] * terms[name](rendering) for name in terms if weights.get(name)}


def total(terms: dict[str, Float[Tensor, ""]]) -> Float[Tensor, ""]:
    """Sum of all terms; zero if there are none."""
    return torch.stack(list(terms.values())).sum() if terms else torch.zeros(())
