"""An occupancy grid: where in the cube samples are worth taking.

    density_cell <- max(decay * density_cell, density at a random point of the cell)
    occupied     <- 1 - exp(-density_cell * step) > min(threshold, mean of the same)

Mueller et al. 2022 (arXiv 2201.05989, appendix C) keep such a grid; the threshold on the opacity of one step, and its
bound by the mean, which keeps a faint scene from vanishing as a whole, follow NerfAcc (Li et al. 2023, arXiv
2305.04966). They visit part of the cells in each update; here every update visits all, since the grids are small.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.errors import check_range

__all__ = ["OccupancyGrid", "OccupancySettings"]


@dataclass(frozen=True, kw_only=True)
class OccupancySettings:
    """How fine the grid is, how often it is updated, and what counts as empty."""

    resolution: int = 32
    every: int = 16
    """Steps between updates; 0: every cell stays occupied, and only the first density is known."""
    decay: float = 0.95
    threshold: float = 0.01
    """Opacity of one step below which a cell is empty."""

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {"resolution": (1, 512), "every": (0, 1_000_000)}
        limits |= {"decay": (0.0, 1.0), "threshold": (0.0, 1.0)}
        for name, bounds in limits.items():
            check_range(f"scene.occupancy.{name}", getattr(self, name), *bounds)

    def due(self, step: int) -> bool:
        """True if an update belongs after this step; steps count from 0."""
        return self.every > 0 and (step + 1) % self.every == 0


class OccupancyGrid(nn.Module):
    """The grid over `[-bound, bound]^3`; both arrays are buffers. Everything is occupied until the first update."""

    density: Tensor
    occupied: Tensor

    def __init__(self, resolution: int, bound: float) -> None:
        super().__init__()
        self.bound = bound
        shape = (resolution, resolution, resolution)
        self.register_buffer("density", torch.zeros(shape))
        self.register_buffer("occupied", torch.ones(shape, dtype=torch.bool))

    @property
    def share(self) -> float:
        """Share of the cells that are occupied."""
        return float(self.occupied.float().mean())

    @torch.no_grad()
    def update(
        self,
        density: Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]],
        settings: OccupancySettings,
        step: float,
        rng: torch.Generator,
    ) -> None:
        """Looks at every cell once, at a random point; `step` is the distance between samples on a ray."""
        resolution = self.density.shape[0]
        axis = torch.arange(resolution, dtype=torch.float32)
        corner = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
        place = (corner + torch.rand(corner.shape, generator=rng)) / resolution
        seen = density(((2 * place - 1) * self.bound).to(self.density.device)).view_as(self.density)
        self.density.copy_(torch.maximum(self.density * settings.decay, seen))
        if settings.every == 0:
            return
        opacity = -torch.expm1(-self.density * step)
        self.occupied.copy_(opacity > opacity.mean().clamp(max=settings.threshold))
