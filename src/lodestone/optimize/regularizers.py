"""Losses on renderings that keep a scene solid; each weighted by a schedule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.optimize.mesh_regularizers import laplacian, normal_consistency
from lodestone.optimize.ray_regularizers import (
    distortion,
    emptiness,
    normal_smoothness,
    normal_smoothness_3d,
    orientation,
    z_variance,
)
from lodestone.scenes.scene import Rendering
from lodestone.schedules import AbstractSchedule, Constant

__all__ = ["Regularizers", "check_regularizers", "opaqueness", "regularization", "smoothness", "sparsity", "total"]


@dataclass(frozen=True, kw_only=True)
class Regularizers:
    """The weight of each regularizer over the steps."""

    sparsity: AbstractSchedule = Constant(0.0)
    opaqueness: AbstractSchedule = Constant(0.0)
    smoothness: AbstractSchedule = Constant(0.0)
    orientation: AbstractSchedule = Constant(0.0)
    z_variance: AbstractSchedule = Constant(0.0)
    distortion: AbstractSchedule = Constant(0.0)
    emptiness: AbstractSchedule = Constant(0.0)
    normal_smoothness: AbstractSchedule = Constant(0.0)
    normal_smoothness_3d: AbstractSchedule = Constant(0.0)
    laplacian: AbstractSchedule = Constant(0.0)
    normal_consistency: AbstractSchedule = Constant(0.0)

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


class Term(NamedTuple):
    """A regularizer, and what a rendering must have for it."""

    loss: Callable[[Rendering], Float[Tensor, ""]]
    found: Callable[[Rendering], bool]
    needs: str


def anything(rendering: Rendering) -> bool:
    """Every rendering has opacity and depth."""
    return True


def has_samples(rendering: Rendering) -> bool:
    """Volume renderings have samples."""
    return rendering.samples is not None


def has_sample_normals(rendering: Rendering) -> bool:
    """Fields with normals have them for each sample."""
    return rendering.samples is not None and rendering.samples.normal is not None


def has_nearby_normals(rendering: Rendering) -> bool:
    """Fields may have a second normal for each sample."""
    return rendering.samples is not None and rendering.samples.nearby_normal is not None


def has_normals(rendering: Rendering) -> bool:
    """Fields with normals and meshes have them for each pixel."""
    return rendering.normals is not None


def has_mesh(rendering: Rendering) -> bool:
    """Surfaces have triangles."""
    return rendering.mesh is not None


MESH = "triangles: choose a mesh as the scene"
SAMPLES = "samples on rays: choose a field as the scene"
SAMPLE_NORMALS = "normals along rays: choose a field with scene.volume.normals analytic"
TERMS: Mapping[str, Term] = {
    "sparsity": Term(sparsity, anything, ""),
    "opaqueness": Term(opaqueness, anything, ""),
    "smoothness": Term(smoothness, anything, ""),
    "orientation": Term(orientation, has_sample_normals, SAMPLE_NORMALS),
    "z_variance": Term(z_variance, has_samples, SAMPLES),
    "distortion": Term(distortion, has_samples, SAMPLES),
    "emptiness": Term(emptiness, has_samples, SAMPLES),
    "normal_smoothness": Term(
        normal_smoothness, has_normals, "normals: choose a mesh, or a field with scene.volume.normals analytic"
    ),
    "normal_smoothness_3d": Term(
        normal_smoothness_3d, has_nearby_normals, "normals beside the samples: set scene.volume.nearby to 0.01"
    ),
    "laplacian": Term(laplacian, has_mesh, MESH),
    "normal_consistency": Term(normal_consistency, has_mesh, MESH),
}


def regularization(rendering: Rendering, weights: dict[str, float]) -> dict[str, Float[Tensor, ""]]:
    """Each regularizer with a non-zero weight, already weighted."""
    return {name: weights[name] * TERMS[name].loss(rendering) for name in TERMS if weights.get(name)}


def check_regularizers(regularizers: Regularizers, steps: int, rendering: Rendering) -> None:
    """Raises: SettingError if a regularizer that has a weight in some step needs what the scene does not render."""
    for name, term in TERMS.items():
        weight: AbstractSchedule = getattr(regularizers, name)
        if not term.found(rendering) and any(weight(step) for step in range(steps)):
            raise SettingError(
                f"plan.regularizers.{name} is set, but this scene does not render {term.needs}, or set it to 0"
            )


def total(terms: dict[str, Float[Tensor, ""]]) -> Float[Tensor, ""]:
    """Sum of all terms; zero if there are none."""
    return torch.stack(list(terms.values())).sum() if terms else torch.zeros(())
