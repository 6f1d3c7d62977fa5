"""How surfaces are shown: by their normals, or lit by a point light. `materials.py` has the physically based one."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

__all__ = ["PointLight", "lambertian", "normal_colors", "to_linear", "to_srgb"]


def normal_colors(normals: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points 3"]:
    """Unit vectors as colours, `(n + 1) / 2`: shape without texture or light."""
    return 0.5 * (normals + 1)


def to_srgb(linear: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points 3"]:
    """Linear radiance as sRGB values (IEC 61966-2-1), clamped to [0, 1]."""
    x = linear.clamp(0, 1)
    # The power has an infinite derivative at 0, where the other branch is taken.
    return torch.where(x <= 0.0031308, 12.92 * x, 1.055 * x.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def to_linear(srgb: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points 3"]:
    """sRGB values as linear radiance, clamped to [0, 1]."""
    x = srgb.clamp(0, 1)
    return torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def lambertian(
    normals: Float[Tensor, "p 3"],
    points: Float[Tensor, "p 3"],
    light: Float[Tensor, "*p 3"],
    ambient: float,
    diffuse: float,
) -> Float[Tensor, "p 1"]:
    """What a point light at `light` sends back, `ambient + diffuse max(0, <normal, toward the light>)`; no falling off.

    DreamFusion (Poole et al. 2022, arXiv 2209.14988, equation 7).
    """
    toward = normalize(light - points, dim=-1)
    return ambient + diffuse * (normals * toward).sum(-1, keepdim=True).clamp(min=0)


@dataclass(frozen=True, kw_only=True)
class PointLight:
    """Light from one place, the same for all views."""

    position: tuple[float, float, float]
    ambient: float = 0.1
    diffuse: float = 0.9

    def shade(
        self, albedo: Float[Tensor, "p 3"], normals: Float[Tensor, "p 3"], points: Float[Tensor, "p 3"]
    ) -> Float[Tensor, "p 3"]:
        """Lambertian colours; a white albedo shows the shape alone."""
        return albedo * lambertian(normals, points, points.new_tensor(self.position), self.ambient, self.diffuse)
