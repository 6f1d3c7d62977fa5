r"""Light from far away as a few spherical Gaussians, filtered in closed form for matt and for glossy surfaces.

.. math:: L(\omega) = \sum_k \mu_k e^{\lambda_k (\omega \cdot \xi_k - 1)}

Matt surfaces need the irradiance :math:`E(n) = \int L(\omega) \max(0, \omega \cdot n) d\omega`, by spherical harmonics
up to degree 4 (Ramamoorthi and Hanrahan 2001); around a lobe's axis they are Legendre polynomials. Glossy ones need L
filtered by another spherical Gaussian, an integral with a closed form:

.. math:: \int e^{\lambda_1 (\omega \cdot \xi_1 - 1) + \lambda_2 (\omega \cdot \xi_2 - 1)} d\omega
          = 2 \pi e^{u - \lambda_1 - \lambda_2} (1 - e^{-2 u}) / u, \quad u = |\lambda_1 \xi_1 + \lambda_2 \xi_2|

References:
    | An Efficient Representation for Irradiance Environment Maps (Ramamoorthi and Hanrahan, 2001)
    | All-Frequency Rendering of Dynamic, Spatially-Varying Reflectance (Wang et al., 2009)
"""

import functools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["STUDIO", "EnvironmentLight", "Lobe", "lobe_integral"]

COSINE_LOBE = (math.pi, 2 * math.pi / 3, math.pi / 4, 0.0, -math.pi / 24)
"""Zonal coefficients of max(0, cos) by degree."""


@dataclass(frozen=True, kw_only=True)
class Lobe:
    """One spherical Gaussian."""

    azimuth: float = 0.0
    elevation: float = 0.0
    """Where it comes from, in degrees, as cameras' angles."""
    sharpness: float = 0.0
    """0: the same from everywhere."""
    radiance: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def direction(self) -> tuple[float, float, float]:
        """The unit vector toward it."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        return math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)


def lobe_integral(sharpness: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The integral of a spherical Gaussian over the sphere, `2 pi (1 - exp(-2 lambda)) / lambda`."""
    u = sharpness.clamp(min=1e-4)
    return -2 * math.pi * torch.expm1(-2 * u) / u


@functools.cache
def irradiance_polynomial(sharpness: float) -> tuple[float, ...]:
    """Irradiance from a lobe of radiance 1 as coefficients of 1, c, .. c^4, c the cosine of normal and axis."""
    t = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 10_000 - 1
    lobe = 2 * math.pi * torch.exp(sharpness * (t - 1)) / 10_000
    legendre = [(1,), (0, 1), (-1 / 2, 0, 3 / 2), (0, -3 / 2, 0, 5 / 2), (3 / 8, 0, -30 / 8, 0, 35 / 8)]
    total = [0.0] * 5
    for degree, polynomial in enumerate(legendre):
        coefficient = sum(factor * float((lobe * t**power).sum()) for power, factor in enumerate(polynomial))
        for power, factor in enumerate(polynomial):
            total[power] += (2 * degree + 1) / (4 * math.pi) * COSINE_LOBE[degree] * coefficient * factor
    return tuple(total)


@dataclass(frozen=True)
class EnvironmentLight:
    """Light of some lobes."""

    lobes: tuple[Lobe, ...]

    def columns(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Directions (k 3), sharpnesses (k) and radiances (k 3)."""
        directions, sharpness, radiance = (
            like.new_tensor([getattr(lobe, name) for lobe in self.lobes])
            for name in ("direction", "sharpness", "radiance")
        )
        return directions, sharpness, radiance

    def radiance(self, directions: Float[Tensor, "p 3"]) -> Float[Tensor, "p 3"]:
        """What is seen in each direction (unit vectors)."""
        axes, sharpness, radiance = self.columns(directions)
        return torch.exp(sharpness * (directions @ axes.T - 1)) @ radiance

    def irradiance(self, normals: Float[Tensor, "p 3"]) -> Float[Tensor, "p 3"]:
        """Light that arrives on surfaces with these normals."""
        axes, _, radiance = self.columns(normals)
        cosine = normals @ axes.T
        coefficients = normals.new_tensor([irradiance_polynomial(lobe.sharpness) for lobe in self.lobes])
        value = torch.zeros_like(cosine)
        for power in reversed(range(5)):
            value = value * cosine + coefficients[:, power]
        return (value @ radiance).clamp(min=0)

    def filtered(self, directions: Float[Tensor, "p 3"], sharpness: Float[Tensor, "p 1"]) -> Float[Tensor, "p 3"]:
        """Mean radiance around directions, weighted by spherical Gaussians of these sharpnesses."""
        axes, own, radiance = self.columns(directions)
        cosine = directions @ axes.T
        total = own + sharpness
        # u^2 = (a + b)^2 - 2 a b (1 - cos) is never negative but for rounding.
        u = (total.square() - 2 * own * sharpness * (1 - cosine)).clamp(min=1e-8).sqrt()
        product = torch.exp(u - total) * lobe_integral(u)
        return product / lobe_integral(sharpness) @ radiance


STUDIO = EnvironmentLight(
    (
        Lobe(radiance=(0.30, 0.30, 0.32)),
        Lobe(elevation=90.0, sharpness=1.0, radiance=(0.45, 0.47, 0.50)),
        Lobe(azimuth=40.0, elevation=45.0, sharpness=20.0, radiance=(4.0, 3.8, 3.5)),
        Lobe(azimuth=-100.0, elevation=25.0, sharpness=12.0, radiance=(0.9, 1.0, 1.2)),
        Lobe(azimuth=170.0, elevation=35.0, sharpness=25.0, radiance=(1.5, 1.5, 1.5)),
    )
)
"""Soft light from everywhere, more from above; a key light before the left shoulder, a fill and a rim light."""
