"""A neural field: a multiresolution hash encoding decoded by two small perceptrons.

    density(p) = softplus(F(e(p))_0 + bias(p)),   colour(p) = sigmoid(C(e(p)))

e: Instant-NGP (Mueller et al. 2022, arXiv 2201.05989), 16 levels of two features. F, C: one hidden layer of 64 each, as
threestudio and LODS have them; Instant-NGP's colour sees the viewing direction as well, score distillation's does not.
Features of Latent-NeRF (Metzer et al. 2022, arXiv 2211.07600) are latents of the prior and have no sigmoid.

Levels may be switched on one after another, coarse ones first, as Neuralangelo (Li et al. 2023, arXiv 2306.03092) does
for surfaces; what is off costs nothing.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.errors import SettingError, check_range
from lodestone.kernels.hash_encoding import HashGrid, encode, position_gradient
from lodestone.rendering.occupancy import OccupancySettings
from lodestone.scenes.field import AbstractField
from lodestone.scenes.field_settings import DensityBias, VolumeSettings
from lodestone.scenes.field_training import AbstractFieldSettings
from lodestone.scenes.perceptron import Perceptron, decode

__all__ = ["EncodingSettings", "HashField", "HashFieldSettings"]


@dataclass(frozen=True, kw_only=True)
class EncodingSettings:
    """The levels of the hash grid, and the steps at which they begin."""

    levels: int = 16
    table_bits: int = 15
    """A level has at most `2^table_bits` entries; the papers take 19, which a CPU's optimizer feels."""
    base: int = 16
    finest: int = 512
    """Cells along the side of the cube; threestudio and LODS: 4096."""
    first_levels: int = 16
    """Levels that are on from the beginning."""
    level_every: int = 0
    """Steps between further levels; 0 switches all on at once."""

    def __post_init__(self) -> None:
        limits = {"levels": (1, 32), "table_bits": (4, 24), "base": (1, 2**16), "finest": (1, 2**16)}
        limits |= {"first_levels": (1, 32), "level_every": (0, 1_000_000)}
        for name, bounds in limits.items():
            check_range(f"scene.encoding.{name}", getattr(self, name), *bounds)
        if self.base > self.finest:
            raise SettingError(f"scene.encoding.base is {self.base}: choose at most scene.encoding.finest")

    @property
    def grid(self) -> HashGrid:
        """The levels."""
        return HashGrid.geometric(self.levels, 2**self.table_bits, self.base, self.finest)

    def active(self, step: int) -> int:
        """Levels that are on after so many steps."""
        if not self.level_every:
            return self.levels
        return min(self.levels, self.first_levels + step // self.level_every)


class HashField(AbstractField):
    """The field; all that is learned are the table and the perceptrons, and a backdrop where there is one."""

    def __init__(
        self,
        encoding: EncodingSettings,
        hidden: int,
        volume: VolumeSettings,
        bias: DensityBias,
        occupancy: OccupancySettings,
        rng: torch.Generator,
    ) -> None:
        super().__init__(volume, bias, occupancy, rng)
        self.encoding, self.grid = encoding, encoding.grid
        self.table = nn.Parameter(1e-4 * (2 * torch.rand(self.grid.entries, 2, generator=rng) - 1))
        self.of_density = Perceptron(2 * self.grid.levels, hidden, 1, rng)
        self.of_features = Perceptron(2 * self.grid.levels, hidden, volume.channels, rng)

    @property
    def active(self) -> int:
        """Levels that are on."""
        return self.encoding.active(int(self.step))

    def encoded(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n columns"]:
        """The features of the cube at points of the world."""
        return encode(points / (2 * self.bound) + 0.5, self.table, self.grid, self.active)

    def raw(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n c"]]:
        density, features = decode(self.encoded(points), self.of_density, self.of_features)
        return density[:, 0], features

    def raw_density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        density: Tensor = self.of_density(self.encoded(points))
        return density[:, 0]

    def raw_gradient(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        inside = points / (2 * self.bound) + 0.5
        cotangent = self.of_density.gradient(encode(inside, self.table, self.grid, self.active))
        return position_gradient(inside, self.table, cotangent, self.grid, self.active) / (2 * self.bound)


@dataclass(frozen=True, kw_only=True)
class HashFieldSettings(AbstractFieldSettings):
    """Everything that decides how a hash field is optimized, except the gradient."""

    encoding: EncodingSettings = EncodingSettings()
    hidden: int = 64
    """Width of the perceptrons."""

    def __post_init__(self) -> None:
        check_range("scene.hidden", self.hidden, 1, 1024)

    def build(self, rng: torch.Generator) -> HashField:
        return HashField(self.encoding, self.hidden, self.volume, self.bias, self.occupancy, rng)
