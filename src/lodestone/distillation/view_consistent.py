"""Noise that sticks to the object."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import interpolate

from lodestone.arrays import Latents, Times
from lodestone.distillation.noising import AbstractNoising, Noised, add_noise
from lodestone.errors import SettingError, check_range
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import ConditioningSet, VisibleSurface

__all__ = ["ViewConsistentNoise"]


@dataclass(frozen=True, kw_only=True)
class ViewConsistentNoise(AbstractNoising):
    """Noise that lives on the object's surface, seen alike from every side, and is renewed a little in every step.

        e <- sqrt(1 - gamma) e + sqrt(gamma) n,     eps(pixel) = sum of the pixel's texels / sqrt(their number)

    Yan et al. 2025, Consistent Flow Distillation, arXiv 2501.05445 (gamma 1e-4; 0 follows the ODE, 1 is SDS), after Yan
    et al. 2024, Flow Score Distillation, arXiv 2405.10988. No denoiser call. CFD is SDS with this noise, the weight
    sigma / alpha and a falling time.

    A surface point's texel lies in its direction from the origin, in a square that maps the sphere without changing
    areas. Within a view a texel belongs to one pixel at most, so that noise is white and N(0, 1) in each pixel,
    whatever the shape; between views, pixels correlate as much as they see the same surface. What is not opaque
    takes a picture that stands still behind the object, as in the authors' code; flat particles take a stretch of
    the memory each. The authors rasterize the texels, 2,048 x 2,048 and layer by layer; here views are sampled, and
    layers that lie in one direction share their texels.
    """

    gamma: float = 1e-4
    """Share of the noise's variance that is renewed in each step."""
    density: int = 3
    """Side of the texture, as a multiple of the latents' larger side; views are sampled twice as densely."""
    opacity: float = 0.1
    """Smallest opacity of what counts as surface."""

    def __post_init__(self) -> None:
        check_range("estimator.noising.gamma", self.gamma, 0.0, 1.0)
        check_range("estimator.noising.density", self.density, 1, 64)
        check_range("estimator.noising.opacity", self.opacity, 0.0, 1.0)

    def memory(self, latent_shape: tuple[int, int, int], rng: torch.Generator) -> Float[Tensor, "c n"]:
        """The texels of the sphere, then the picture behind the object."""
        channels, height, width = latent_shape
        return torch.randn(channels, self.side(height, width) ** 2 + height * width, generator=rng)

    def side(self, height: int, width: int) -> int:
        """Texels along each side of the texture."""
        return self.density * max(height, width)

    def __call__(
        self, clean: Latents, t: Times, denoiser: AbstractDenoiser, conditioning: ConditioningSet, rng: torch.Generator
    ) -> Noised:
        memory, surface = conditioning.noise_memory, conditioning.surface
        if memory is None:
            raise SettingError(
                "estimator.noising keeps its noise from step to step, but there is no memory: "
                "give the result of its `memory` as ConditioningSet.noise_memory"
            )
        renew(memory, self.gamma, rng)
        noise = stretches(memory, clean) if surface is None else self.attached(memory, surface, clean)
        return add_noise(clean, noise.to(clean), t, denoiser.schedule)

    def attached(self, memory: Float[Tensor, "c n"], surface: VisibleSurface, clean: Latents) -> Latents:
        """The noise of each pixel: of the texels that it owns, or of the picture behind the object."""
        count, channels, height, width = clean.shape
        side, pixels, dense = self.side(height, width), height * width, 2 * self.density
        texels, behind = memory.split([side**2, pixels], dim=1)
        points, opaque = sampled(surface, dense * height, dense * width, self.opacity)
        owner = owners(points, opaque, dense, side)[:, None]
        sums = memory.new_zeros(count, channels, pixels + 1)
        sums.scatter_add_(2, owner.expand(-1, channels, -1), texels.expand(count, -1, -1))
        number = memory.new_zeros(count, 1, pixels + 1)
        number.scatter_add_(2, owner, number.new_ones(1, 1, 1).expand(owner.shape))
        sums, number = sums[..., :pixels], number[..., :pixels]
        return torch.where(number > 0, sums / number.clamp(min=1).sqrt(), behind).reshape(clean.shape)


def renew(memory: Float[Tensor, "c n"], gamma: float, rng: torch.Generator) -> None:
    """`e <- sqrt(1 - gamma) e + sqrt(gamma) n`, in place."""
    if gamma > 0:
        fresh = torch.randn(memory.shape, generator=rng).to(memory)
        memory.mul_(math.sqrt(1 - gamma)).add_(fresh, alpha=math.sqrt(gamma))


def stretches(memory: Float[Tensor, "c n"], clean: Latents) -> Latents:
    """A stretch of the memory for each flat particle."""
    count, _, height, width = clean.shape
    if (needed := count * height * width) > memory.shape[1]:
        raise SettingError(
            f"estimator.noising.density is too small for {count} flat particles: choose at least "
            f"{math.ceil(math.sqrt(needed) / max(height, width))}"
        )
    return memory[:, :needed].unflatten(1, (count, height, width)).transpose(0, 1).clone()


def sampled(
    surface: VisibleSurface, height: int, width: int, opacity: float
) -> tuple[Float[Tensor, "b height width 3"], Bool[Tensor, "b height width"]]:
    """Surface points between those of the pixels, and where there is surface; what is transparent has no say."""
    mask = (surface.opacity > opacity).to(surface.points)
    stacked = torch.cat([surface.points * mask, mask], dim=-1).permute(0, 3, 1, 2)
    dense = interpolate(stacked, (height, width), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    return dense[..., :3] / dense[..., 3:].clamp(min=1e-6), dense[..., 3] >= 0.5


def texel(points: Float[Tensor, "*s 3"], side: int) -> tuple[Int[Tensor, "*s"], Float[Tensor, "*s"]]:
    """In which texel of a square of `side` x `side` each point is seen from the origin, and how far from its centre.

    The sphere is an octahedron whose upper half is the square's inner diamond; each octant's `1 - |z|` and azimuth
    become distance and place along the diamond, which keeps areas (Clarberg 2008, Fast Equal-Area Mapping of the
    (Hemi)Sphere using SIMD).
    """
    x, y, z = torch.nn.functional.normalize(points, dim=-1).unbind(-1)
    radius = (1 - z.abs()).clamp(min=0).sqrt()
    b = radius * torch.atan2(y.abs(), x.abs()) * (2 / math.pi)
    a = radius - b
    a, b = torch.where(z < 0, 1 - b, a), torch.where(z < 0, 1 - a, b)
    place = torch.stack([b.copysign(y), a.copysign(x)], dim=-1).add(1).mul(side / 2)
    cell = place.floor().clamp(max=side - 1)
    row, column = cell.long().unbind(-1)
    return row * side + column, (place - cell - 0.5).square().sum(-1)


def owners(
    points: Float[Tensor, "b height width 3"], opaque: Bool[Tensor, "b height width"], dense: int, side: int
) -> Int[Tensor, "b texels"]:
    """The pixel, `dense` x `dense` samples, that sees each texel nearest to its centre, or one past all pixels.

    Distance and pixel are one number, so that the smallest decides, in the same way on every machine.
    """
    views, height, width = (size // (dense if axis else 1) for axis, size in enumerate(opaque.shape))
    view, row, column = opaque.nonzero(as_tuple=True)
    cell, distance = texel(points[view, row, column], side)
    nobody = height * width
    rank = (distance * 2**20).long() * (nobody + 1) + row // dense * width + column // dense
    last = (nobody + 1) * 2**22 - 1  # further from the centre than any sample, and of nobody
    first = cell.new_full((views * side**2,), last).scatter_reduce_(0, view * side**2 + cell, rank, "amin")
    return (first % (nobody + 1)).unflatten(0, (views, side**2))
