"""Volume rendering: rays through a cube, packed samples, and what they add up to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.kernels.compositing import composite
from lodestone.kernels.ray_marching import PackedSamples, march
from lodestone.rendering.occupancy import OccupancyGrid
from lodestone.rendering.rays import Rays
from lodestone.rendering.samples import RaySamples

__all__ = ["SampleValues", "VolumeImages", "render_volume", "step_length", "take_samples"]


@dataclass(frozen=True, kw_only=True)
class SampleValues:
    """What a field says of each sample."""

    density: Float[Tensor, " s"]
    """Absorption per world unit."""
    features: Float[Tensor, "s c"]
    """Colours, or latents of a prior."""
    normal: Float[Tensor, "s 3"] | None = None
    nearby_normal: Float[Tensor, "s 3"] | None = None


@dataclass(frozen=True, kw_only=True)
class VolumeImages:
    """What rays see, one row for each."""

    features: Float[Tensor, "r c"]
    """Premultiplied: no background is added."""
    opacity: Float[Tensor, "r 1"]
    depth: Float[Tensor, "r 1"]
    """Expected camera depth of what is opaque."""
    normals: Float[Tensor, "r 3"] | None
    """In the direction of the weighted sum of the samples' normals, as long as the opacity: zero where nothing is."""
    samples: RaySamples | None
    """None where several groups of rays were followed one after the other."""

    @classmethod
    def join(cls, parts: "Sequence[VolumeImages]") -> "VolumeImages":
        """What several groups of rays see."""
        normals = [part.normals for part in parts if part.normals is not None]
        return cls(
            features=torch.cat([part.features for part in parts]),
            opacity=torch.cat([part.opacity for part in parts]),
            depth=torch.cat([part.depth for part in parts]),
            normals=torch.cat(normals) if normals else None,
            samples=None,
        )


def step_length(bound: float, samples: int) -> float:
    """The distance between samples if there are so many on the diagonal of the cube."""
    return 2 * math.sqrt(3) * bound / samples


def take_samples(
    rays: Rays, occupancy: OccupancyGrid, samples: int, rng: torch.Generator | None = None
) -> PackedSamples:
    """Samples in occupied cells; with a generator each ray's are shifted by a random part of a step."""
    shift = torch.full((len(rays),), 0.5) if rng is None else torch.rand(len(rays), generator=rng)
    step = step_length(occupancy.bound, samples)
    shift = shift.to(rays.origins)
    return march(rays.origins, rays.directions, shift, occupancy.occupied, occupancy.bound, step)


def render_volume(rays: Rays, packed: PackedSamples, step: float, values: SampleValues) -> VolumeImages:
    """Composites the samples of every ray."""
    width = torch.full_like(packed.distance, step)
    shown = values.features if values.normal is None else torch.cat([values.features, values.normal], dim=-1)
    seen = composite(values.density, width, packed.distance, shown, packed.offsets)
    channels = values.features.shape[1]
    opacity, normals = seen.opacity[:, None], None
    if values.normal is not None:
        normals = opacity * torch.nn.functional.normalize(seen.values[:, channels:], dim=-1)
    samples = RaySamples(
        ray=packed.ray,
        rays=len(rays),
        distance=packed.distance,
        width=width,
        weight=seen.weights,
        direction=rays.directions[packed.ray],
        normal=values.normal,
        nearby_normal=values.nearby_normal,
    )
    return VolumeImages(
        features=seen.values[:, :channels],
        opacity=opacity,
        depth=(seen.distance / seen.opacity.clamp(min=1e-6) * rays.depth_rate)[:, None],
        normals=normals,
        samples=samples,
    )
