"""How a scene begins."""

import math
from dataclasses import dataclass

import torch

from lodestone.errors import check_range
from lodestone.scenes.gaussians import C0, RawGaussians

__all__ = ["BallInitialization"]


@dataclass(frozen=True, kw_only=True)
class BallInitialization:
    """Gaussians spread evenly through a ball around the origin, faint and nearly grey.

    DreamGaussian (Tang et al. 2023, arXiv 2309.16653) begins the same way, with 5,000 points.
    """

    count: int = 3_000
    radius: float = 0.5
    """World units."""
    opacity: float = 0.1
    brightness: float = 0.5
    color_noise: float = 0.1
    """Standard deviation of the colours around `brightness`."""
    overlap: float = 1.0
    """Standard deviation of a Gaussian in halves of the spacing `radius (4 pi / 3 n)^(1/3)`."""

    def __post_init__(self) -> None:
        limits = {"count": (1, 10_000_000), "radius": (1e-3, 1e3), "opacity": (1e-4, 0.9999)}
        limits |= {"brightness": (0.0, 1.0), "color_noise": (0.0, 10.0), "overlap": (1e-3, 1e3)}
        for name, bounds in limits.items():
            check_range(f"scene.initialization.{name}", getattr(self, name), *bounds)

    def create(self, rng: torch.Generator) -> RawGaussians:
        """Draws the Gaussians."""
        direction = torch.nn.functional.normalize(torch.randn(self.count, 3, generator=rng), dim=-1)
        distance = self.radius * torch.rand(self.count, 1, generator=rng) ** (1 / 3)
        spacing = self.radius * (4 * math.pi / 3 / self.count) ** (1 / 3)
        color = self.brightness + self.color_noise * torch.randn(self.count, 3, generator=rng)
        upright = torch.tensor([1.0, 0.0, 0.0, 0.0])
        return RawGaussians(
            means=direction * distance,
            log_scales=torch.full((self.count, 3), math.log(0.5 * self.overlap * spacing)),
            quaternions=upright.repeat(self.count, 1),
            opacity_logits=torch.full((self.count,), math.log(self.opacity / (1 - self.opacity))),
            colors=(color - 0.5) / C0,
        )
