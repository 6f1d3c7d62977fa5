"""Fields: scenes that say for each point of a cube how dense it is and what it looks like.

    colour of a ray = sum_i w_i c(p_i) + (1 - sum_i w_i) background,   w_i = T_i (1 - exp(-density(p_i) step))

Density is an activation of a raw number; normals point against the raw number's gradient, which has the direction of
the density's.
"""

import abc
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from lodestone.kernels.ray_marching import PackedSamples
from lodestone.rendering.cameras import Cameras
from lodestone.rendering.occupancy import OccupancyGrid, OccupancySettings
from lodestone.rendering.rays import Rays, rays_of, shrink
from lodestone.rendering.volume import SampleValues, VolumeImages, render_volume, take_samples
from lodestone.scenes.environment import Environment
from lodestone.scenes.field_settings import Backdrop, DensityBias, Normals, Space, VolumeSettings
from lodestone.scenes.linear_colors import colors_of, latents_of_color, linear_colors
from lodestone.scenes.scene import AbstractScene, Rendering
from lodestone.scenes.shading import Lights
from lodestone.scenes.surface import Volume

__all__ = ["AbstractField"]

FINEST = 0.02
"""What of the density is no noise: the standard deviation of a blur, as a share of the bound."""

LARGEST_BATCH = 1 << 16
"""Samples that are looked at together where no gradient is wanted."""

MOST_RAYS = 1 << 14
"""Rays that are followed together where no gradient is wanted."""


class AbstractField(AbstractScene):
    """A density and features in the cube `[-bound, bound]^3`."""

    step: Tensor
    """Optimization steps done, which progressive levels and shading depend on."""

    def __init__(
        self, volume: VolumeSettings, bias: DensityBias, occupancy: OccupancySettings, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.volume, self.bias = volume, bias
        self.occupancy = OccupancyGrid(occupancy.resolution, volume.bound)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.environment = None
        if volume.backdrop is Backdrop.LEARNED:
            bounded = volume.space is Space.COLOR
            self.environment = Environment(volume.channels, bounded=bounded, rng=rng)
        if volume.space is Space.REFINED:
            self.adapter: Tensor = nn.Parameter(linear_colors(volume.channels))
        elif volume.space is Space.LATENT:
            self.register_buffer("adapter", linear_colors(volume.channels))

    # ------------------------------------------------------------------------------------------- what a field says

    @abc.abstractmethod
    def raw(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c"]]:
        """The density before its activation and without its bias, and the features before theirs."""

    @abc.abstractmethod
    def raw_density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """The first of both alone."""

    @abc.abstractmethod
    def raw_gradient(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Its derivative by the position, itself differentiable with respect to the parameters."""

    @property
    def bound(self) -> float:
        """Half the side of the cube."""
        return self.volume.bound

    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Absorption per world unit."""
        return self.volume.activation(self.raw_density(points) + self.bias(points))

    def features(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        """Colours in [0, 1], or latents."""
        return self.activate(self.raw(points)[1])

    def color(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Colours in [0, 1]; those of latents are a linear guess."""
        features = self.features(points)
        return features if self.volume.space is Space.COLOR else colors_of(features, self.adapter).clamp(0, 1)

    def activate(self, features: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Colours are bounded, latents are not."""
        return features.sigmoid() if self.volume.space is Space.COLOR else features

    def normals(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Unit vectors from dense to thin."""
        if self.volume.normals is Normals.FINITE_DIFFERENCE:
            return normalize(-self.differences(points), dim=-1)
        return normalize(-(self.raw_gradient(points) + self.bias.gradient(points)), dim=-1)

    def differences(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Central differences of the biased raw density."""
        offsets = self.volume.difference * torch.eye(3, dtype=points.dtype, device=points.device)
        around = torch.cat([points + offset for offset in (*offsets, *-offsets)])
        values = (self.raw_density(around) + self.bias(around)).view(2, 3, len(points))
        return (values[0] - values[1]).T / (2 * self.volume.difference)

    def surface(self) -> Volume:
        corner = torch.full((3,), self.bound, device=self.step.device)
        return Volume(density=in_batches(self.density), low=-corner, high=corner, smoothing=FINEST * self.bound)

    @torch.no_grad()
    def coverage(self) -> float:
        """The largest opacity of a ray across half the cube, by what the occupancy grid knows."""
        return float(-torch.expm1(-self.occupancy.density.max() * self.bound))

    def update_occupancy(self, settings: OccupancySettings, rng: torch.Generator) -> None:
        """Looks at the density in every cell again."""
        self.occupancy.update(in_batches(self.density), settings, self.volume.step, rng)

    # ------------------------------------------------------------------------------------------- how a field is seen

    def render(
        self, cameras: Cameras, background: Float[Tensor, "v 3"], rng: torch.Generator | None = None
    ) -> Rendering:
        """Latents have `stride` times fewer pixels; their colours are painted apart, in training with as few."""
        if self.volume.space is not Space.LATENT:
            return self.paint(cameras, background, rng)
        latents = self.paint(shrink(cameras, self.volume.stride), background, rng)
        if rng is not None:
            return latents
        colors = self.paint(cameras, background, None)
        return Rendering(
            color=colors.color,
            opacity=colors.opacity,
            depth=colors.depth,
            normals=colors.normals,
            latents=latents.latents,
            samples=colors.samples,
        )

    def paint(self, cameras: Cameras, background: Float[Tensor, "v 3"], rng: torch.Generator | None) -> Rendering:
        """Pictures with as many pixels as the cameras have."""
        rays = rays_of(cameras)
        images = self.trace(cameras, rays, rng)
        behind = self.behind(cameras, rays, background, rng)
        shape = (len(cameras), cameras.height, cameras.width, -1)
        seen = (images.features + (1 - images.opacity) * behind).view(shape)
        color = seen if self.volume.space is Space.COLOR else colors_of(seen, self.adapter)
        if self.volume.space is Space.LATENT:
            color = color.detach().clamp(0, 1)
        return Rendering(
            color=color,
            opacity=images.opacity.view(shape),
            depth=images.depth.view(shape),
            normals=None if images.normals is None else images.normals.view(shape),
            latents=seen.permute(0, 3, 1, 2) if self.volume.space is Space.LATENT else None,
            samples=images.samples,
        )

    def trace(self, cameras: Cameras, rays: Rays, rng: torch.Generator | None) -> VolumeImages:
        """What rays see; for a picture alone, of so many at a time that memory stays small."""
        if rng is None and not torch.is_grad_enabled() and len(rays) > MOST_RAYS:
            return VolumeImages.join([self.trace(cameras, part, rng) for part in rays.split(MOST_RAYS)])
        packed = take_samples(rays, self.occupancy, self.volume.samples, rng)
        return render_volume(rays, packed, self.volume.step, self.evaluate(cameras, packed, rng))

    def evaluate(self, cameras: Cameras, packed: PackedSamples, rng: torch.Generator | None) -> SampleValues:
        """What the field says of every sample, lit as the settings want."""
        density, features = in_batches(self.look)(packed.position)
        normal, nearby = None, None
        if self.volume.normals is not Normals.NONE:
            normal = in_batches(self.normals)(packed.position)
        if self.volume.nearby and rng is not None:
            moved = self.volume.nearby * torch.randn(packed.position.shape, generator=rng).to(packed.position)
            nearby = self.normals(packed.position + moved)
        shading = self.volume.shading
        if rng is not None and shading.lit_share and int(self.step) >= shading.begin:
            assert normal is not None
            view = packed.ray // (cameras.height * cameras.width)
            features = Lights.draw(cameras, shading, rng).shade(features, normal, packed.position, view)
        return SampleValues(density=density, features=features, normal=normal, nearby_normal=nearby)

    def look(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c"]]:
        """Density and features together."""
        density, features = self.raw(points)
        return self.volume.activation(density + self.bias(points)), self.activate(features)

    def behind(
        self, cameras: Cameras, rays: Rays, background: Float[Tensor, "v 3"], rng: torch.Generator | None
    ) -> Float[Tensor, "r c"]:
        """What stands behind each ray: in training a learned backdrop in some views, else the plain colour."""
        plain = background if self.volume.space is Space.COLOR else latents_of_color(background, self.adapter.detach())
        plain = plain.repeat_interleave(cameras.height * cameras.width, dim=0)
        if self.environment is None or rng is None:
            return plain
        learned = self.environment(rays.directions)
        in_plain = torch.rand(len(cameras), generator=rng) < self.volume.plain_share
        chosen = in_plain.to(plain.device).repeat_interleave(cameras.height * cameras.width)
        return torch.where(chosen[:, None], plain, learned)


def in_batches(function: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    """The same function of many points; where no gradient is wanted, of so many at a time that memory suffices."""

    def run(points: Tensor) -> Any:
        if torch.is_grad_enabled() or len(points) <= LARGEST_BATCH:
            return function(points)
        parts = [function(part) for part in points.split(LARGEST_BATCH)]
        if isinstance(parts[0], Tensor):
            return torch.cat(parts)
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))

    return run
