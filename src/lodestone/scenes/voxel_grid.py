"""A dense grid of voxels: density and features at the vertices, trilinear in between.

Score Jacobian Chaining (Wang et al. 2022, arXiv 2212.00774) distils into 100^3 vertices with four latent features. The
grid is a hash encoding whose levels have one resolution and hold all of their vertices: as many levels, of two numbers
each, as density and features need.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.errors import check_range
from lodestone.kernels.hash_encoding import HashGrid, encode, position_gradient
from lodestone.rendering.occupancy import OccupancySettings
from lodestone.scenes.field import AbstractField
from lodestone.scenes.field_settings import DensityBias, VolumeSettings
from lodestone.scenes.field_training import AbstractFieldSettings, FieldLearningRates

__all__ = ["VoxelGrid", "VoxelGridSettings"]


class VoxelGrid(AbstractField):
    """The field; all that is learned are the vertices, and a backdrop where there is one."""

    def __init__(
        self,
        resolution: int,
        noise: float,
        volume: VolumeSettings,
        bias: DensityBias,
        occupancy: OccupancySettings,
        rng: torch.Generator,
    ) -> None:
        super().__init__(volume, bias, occupancy, rng)
        levels = (volume.channels + 2) // 2
        self.grid = HashGrid((resolution - 1,) * levels, resolution**3)
        self.table = nn.Parameter(noise * torch.randn(self.grid.entries, 2, generator=rng))

    def encoded(self, points: Float[Tensor, "n 3"], levels: int) -> Float[Tensor, "n columns"]:
        """The numbers of the first levels at points of the world; density is the first, features follow."""
        return encode(points / (2 * self.bound) + 0.5, self.table, self.grid, levels)

    def raw(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c"]]:
        numbers = self.encoded(points, self.grid.levels)
        return numbers[:, 0], numbers[:, 1 : 1 + self.volume.channels]

    def raw_density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return self.encoded(points, 1)[:, 0]

    def raw_gradient(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        inside = points / (2 * self.bound) + 0.5
        cotangent = points.new_zeros(len(points), 2 * self.grid.levels)
        cotangent[:, 0] = 1.0
        return position_gradient(inside, self.table, cotangent, self.grid, 1) / (2 * self.bound)


@dataclass(frozen=True, kw_only=True)
class VoxelGridSettings(AbstractFieldSettings):
    """Everything that decides how a voxel grid is optimized, except the gradient; rates are SJC's."""

    resolution: int = 100
    """Vertices along the side of the cube."""
    noise: float = 0.01
    """Standard deviation of the first numbers."""
    learning_rates: FieldLearningRates = FieldLearningRates(grid=0.05)

    def __post_init__(self) -> None:
        check_range("scene.resolution", self.resolution, 2, 1024)
        check_range("scene.noise", self.noise, 0.0, 1e3)

    def build(self, rng: torch.Generator) -> VoxelGrid:
        return VoxelGrid(self.resolution, self.noise, self.volume, self.bias, self.occupancy, rng)
