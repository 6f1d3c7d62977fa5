r"""Physically based surfaces: base colour, roughness, metallic, under light from far away.

The reflectance is Cook and Torrance's microfacet model with the GGX distribution (Walter et al. 2007), Smith's
height-correlated shadowing and Schlick's Fresnel term, alpha = roughness^2, over a matt base:

.. math:: f = \frac{D G F}{4 (n \cdot l) (n \cdot v)} + (1 - m) (1 - S) \frac{c}{\pi}, \quad
          F_0 = (1 - m) 0.04 + m c

The split sum (Karis 2013) takes the light out of the integral of the first term: the light filtered around the mirrored
direction, times :math:`S = F_0 A + B`, the share of white light that is reflected. A, B and the filter's sharpness are
tabled by roughness and :math:`n \cdot v` from the integrals themselves. What the gloss reflects the base does not see:
hence 1 - S, which keeps a surface from giving back more light than it gets. Fantasia3D's renderer leaves it out.

References:
    | Microfacet Models for Refraction through Rough Surfaces (Walter et al., 2007)
    | Real Shading in Unreal Engine 4 (Karis, 2013)
    | Fantasia3D (Chen et al., 2023), arXiv 2303.13873
"""

import functools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from lodestone.rendering.lighting import EnvironmentLight

__all__ = ["Material", "ggx", "reflected_share", "shade"]

DIELECTRIC = 0.04
"""Part of the light that what is no metal reflects at normal incidence."""
SMOOTHEST = 0.05
"""Roughness below which a surface does not get smoother."""
ROWS, COLUMNS = 32, 32
"""Of the table: roughness, cosine."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """What surfaces are made of, at p points; linear colours, everything in [0, 1]."""

    base_color: Float[Tensor, "p 3"]
    roughness: Float[Tensor, "p 1"]
    metallic: Float[Tensor, "p 1"]

    @property
    def facing_reflectance(self) -> Float[Tensor, "p 3"]:
        """F_0: what is reflected at normal incidence."""
        return DIELECTRIC + self.metallic * (self.base_color - DIELECTRIC)


def smith(cosine: Tensor, alpha: Tensor) -> Tensor:
    """Smith's Lambda for GGX, of the cosine between normal and direction."""
    squared = cosine.square().clamp(1e-7, 1)
    return 0.5 * ((1 + alpha.square() * (1 - squared) / squared).sqrt() - 1)


def ggx(
    normal: Float[Tensor, "p 3"],
    toward_eye: Float[Tensor, "p 3"],
    toward_light: Float[Tensor, "p 3"],
    roughness: Float[Tensor, "p 1"],
    facing: Float[Tensor, "p 3"],
) -> Float[Tensor, "p 3"]:
    """The glossy term `D G F / (4 (n.l) (n.v))`; zero where light or eye are behind the surface."""
    half = torch.nn.functional.normalize(toward_eye + toward_light, dim=-1)
    nl, nv, nh, vh = (
        (a * b).sum(-1, keepdim=True)
        for a, b in ((normal, toward_light), (normal, toward_eye), (normal, half), (toward_eye, half))
    )
    alpha = roughness.clamp(min=SMOOTHEST).square()
    distribution = alpha.square() / (math.pi * (nh.square() * (alpha.square() - 1) + 1).square())
    shadowing = 1 / (1 + smith(nl, alpha) + smith(nv, alpha))
    fresnel = facing + (1 - facing) * (1 - vh.clamp(0, 1)) ** 5
    value = distribution * shadowing * fresnel / (4 * nl * nv).clamp(min=1e-6)
    return torch.where((nl > 0) & (nv > 0), value, torch.zeros_like(value))


@functools.cache
def split_sum_table() -> Float[Tensor, "1 3 rows columns"]:
    """A, B and the logarithm of the filter's sharpness, by roughness and cosine, both from 0 to 1.

    Integrals over half vectors distributed as `D (n.h)`, on a regular grid of the unit square. The filter has the mean
    cosine of the reflected light that a surface seen from above weighs by `n.l`.
    """
    u = (torch.arange(64, dtype=torch.float64)[:, None] + 0.5) / 64
    azimuth = math.pi * (torch.arange(16, dtype=torch.float64) + 0.5) / 16
    # Axes: roughness, cosine, u, azimuth.
    alpha = torch.linspace(0, 1, ROWS, dtype=torch.float64).clamp(min=SMOOTHEST).square()[:, None, None, None]
    nv = torch.linspace(0, 1, COLUMNS, dtype=torch.float64).clamp(min=1e-3)[:, None, None]
    nh = ((1 - u) / (1 + (alpha.square() - 1) * u)).sqrt()
    vh = (1 - nh.square()).sqrt() * azimuth.cos() * (1 - nv.square()).sqrt() + nh * nv
    nl = 2 * vh * nh - nv
    shadowing = 1 / (1 + smith(nl.clamp(min=0), alpha) + smith(nv, alpha))
    weight = torch.where((nl > 0) & (vh > 0), vh / (nh * nv) * shadowing, 0)
    fresnel = (1 - vh.clamp(0, 1)) ** 5
    a, b = (weight * (1 - fresnel)).mean(dim=(2, 3)), (weight * fresnel).mean(dim=(2, 3))
    cosine = (2 * nh.square() - 1).clamp(min=0).flatten(1)
    mean = cosine.square().sum(dim=1) / cosine.sum(dim=1)
    # The inverse of coth x - 1 / x (Banerjee et al. 2005).
    sharpness = mean * (3 - mean.square()) / (1 - mean.square())
    return torch.stack([a, b, sharpness.log()[:, None].expand(ROWS, COLUMNS)])[None].float()


def split_sum(roughness: Float[Tensor, "p 1"], cosine: Float[Tensor, "p 1"]) -> tuple[Tensor, Tensor, Tensor]:
    """A, B and the filter's sharpness at p points, each p 1."""
    table = split_sum_table().to(roughness)
    places = torch.cat([cosine, roughness], dim=-1).clamp(0, 1) * 2 - 1
    found = grid_sample(table, places[None, None], align_corners=True)[0, :, 0].T
    return found[:, 0:1], found[:, 1:2], found[:, 2:3].exp()


def reflected_share(material: Material, cosine: Float[Tensor, "p 1"]) -> Float[Tensor, "p 3"]:
    """S: the share of white light from everywhere that the gloss reflects, by the cosine of normal and eye."""
    a, b, _ = split_sum(material.roughness, cosine)
    return material.facing_reflectance * a + b


def shade(
    material: Material, normals: Float[Tensor, "p 3"], toward_eye: Float[Tensor, "p 3"], light: EnvironmentLight
) -> Float[Tensor, "p 3"]:
    """Linear radiance toward the eye. Surfaces that are turned away are lit as if seen from the side."""
    cosine = (normals * toward_eye).sum(-1, keepdim=True)
    a, b, sharpness = split_sum(material.roughness, cosine)
    share = material.facing_reflectance * a + b
    mirrored = 2 * cosine * normals - toward_eye
    base = (1 - material.metallic) * (1 - share) * material.base_color / math.pi
    return share * light.filtered(mirrored, sharpness) + base * light.irradiance(normals)
