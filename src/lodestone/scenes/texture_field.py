"""What a surface looks like as a function of the place: networks from points to numbers in [0, 1]."""

import abc
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.errors import SettingError, check_range
from lodestone.kernels.hash_encoding import HashGrid, encode
from lodestone.scenes.perceptron import Perceptron

__all__ = [
    "AbstractTextureField",
    "AbstractTextureSettings",
    "FrequencyTexture",
    "FrequencyTextureSettings",
    "HashTexture",
    "HashTextureSettings",
    "fit_texture",
]


class AbstractTextureField(nn.Module, abc.ABC):
    """Points in the world to some channels in [0, 1], sRGB values where they are colours."""

    @abc.abstractmethod
    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        """The channels at each point."""


class AbstractTextureSettings(abc.ABC):
    """How a texture begins."""

    @abc.abstractmethod
    def create(self, channels: int, bound: float, rng: torch.Generator) -> AbstractTextureField:
        """A nearly grey texture for the cube from -bound to bound."""


class FrequencyTexture(AbstractTextureField):
    """`sigmoid(F(sin(2^k pi p / bound), cos(2^k pi p / bound)))`, k < octaves (Mildenhall et al. 2020, equation 4).

    F has one hidden layer. The octave k enters divided by k + 1, so that coarse colours are learned first.
    """

    frequencies: Tensor

    def __init__(self, octaves: int, hidden: int, channels: int, bound: float, rng: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("frequencies", math.pi / bound * 2.0 ** torch.arange(octaves), persistent=False)
        self.network = Perceptron(6 * octaves + 4, hidden, channels, rng)
        with torch.no_grad():
            self.network.second.mul_(0.1)

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        angles = points[:, :, None] * self.frequencies
        weights = 1 / torch.arange(1, len(self.frequencies) + 1, device=points.device)
        waves = torch.cat([angles.sin() * weights, angles.cos() * weights], dim=-1).flatten(1)
        raw: Tensor = self.network(torch.cat([waves, points, torch.ones_like(points[:, :1])], dim=-1))
        return raw.sigmoid()


@dataclass(frozen=True, kw_only=True)
class FrequencyTextureSettings(AbstractTextureSettings):
    """A network on sines and cosines: smooth, and never finer than its highest octave."""

    octaves: int = 5
    hidden: int = 64

    def __post_init__(self) -> None:
        check_range("scene.texture.octaves", self.octaves, 1, 16)
        check_range("scene.texture.hidden", self.hidden, 1, 1024)

    def create(self, channels: int, bound: float, rng: torch.Generator) -> FrequencyTexture:
        return FrequencyTexture(self.octaves, self.hidden, channels, bound, rng)


class HashTexture(AbstractTextureField):
    """`sigmoid(F(e(p)))` with a multiresolution hash encoding e (Mueller et al. 2022, arXiv 2201.05989)."""

    def __init__(self, grid: HashGrid, hidden: int, channels: int, bound: float, rng: torch.Generator) -> None:
        super().__init__()
        self.grid, self.bound = grid, bound
        self.table = nn.Parameter(1e-4 * (2 * torch.rand(grid.entries, 2, generator=rng) - 1))
        self.network = Perceptron(2 * grid.levels, hidden, channels, rng)

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        raw: Tensor = self.network(encode(points / (2 * self.bound) + 0.5, self.table, self.grid))
        return raw.sigmoid()


@dataclass(frozen=True, kw_only=True)
class HashTextureSettings(AbstractTextureSettings):
    """A hash grid: as fine as its finest level, at the same price."""

    levels: int = 16
    table_bits: int = 15
    base: int = 16
    finest: int = 512
    hidden: int = 64

    def __post_init__(self) -> None:
        limits = {"levels": (1, 32), "table_bits": (4, 24), "base": (1, 2**16), "finest": (1, 2**16)}
        for name, bounds in {**limits, "hidden": (1, 1024)}.items():
            check_range(f"scene.texture.{name}", getattr(self, name), *bounds)
        if self.base > self.finest:
            raise SettingError(f"scene.texture.base is {self.base}: choose at most scene.texture.finest")

    def create(self, channels: int, bound: float, rng: torch.Generator) -> HashTexture:
        grid = HashGrid.geometric(self.levels, 2**self.table_bits, self.base, self.finest)
        return HashTexture(grid, self.hidden, channels, bound, rng)


def fit_texture(
    texture: AbstractTextureField,
    points: Float[Tensor, "n 3"],
    colors: Float[Tensor, "n 3"],
    rng: torch.Generator,
    steps: int = 200,
) -> None:
    """Teaches the first three channels known colours, by least squares on random points (Adam, rate 1e-2)."""
    optimizer = torch.optim.Adam(texture.parameters(), lr=1e-2, eps=1e-15)
    with torch.enable_grad():
        for _ in range(steps if len(points) else 0):
            chosen = torch.randint(len(points), (min(2048, len(points)),), generator=rng)
            optimizer.zero_grad(set_to_none=True)
            (texture(points[chosen])[:, :3] - colors[chosen]).square().mean().backward()
            optimizer.step()
