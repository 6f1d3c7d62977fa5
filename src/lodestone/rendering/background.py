"""What stands behind the object during optimization."""

import abc
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.errors import check_range

__all__ = ["AbstractBackground", "Black", "PlainColors", "White"]


class AbstractBackground(abc.ABC):
    """A law on plain background colours."""

    @abc.abstractmethod
    def sample(self, count: int, rng: torch.Generator) -> Float[Tensor, "v 3"]:
        """One colour for each view, in [0, 1]."""


@dataclass(frozen=True)
class White(AbstractBackground):
    """Always white."""

    def sample(self, count: int, rng: torch.Generator) -> Float[Tensor, "v 3"]:
        return torch.ones(count, 3)


@dataclass(frozen=True)
class Black(AbstractBackground):
    """Always black."""

    def sample(self, count: int, rng: torch.Generator) -> Float[Tensor, "v 3"]:
        return torch.zeros(count, 3)


@dataclass(frozen=True, kw_only=True)
class PlainColors(AbstractBackground):
    """White with probability `white_share`, otherwise a uniformly drawn colour: what is not object cannot hide."""

    white_share: float = 0.5

    def __post_init__(self) -> None:
        check_range("plan.background.white_share", self.white_share, 0.0, 1.0)

    def sample(self, count: int, rng: torch.Generator) -> Float[Tensor, "v 3"]:
        colors = torch.rand(count, 3, generator=rng)
        return torch.where(torch.rand(count, 1, generator=rng) < self.white_share, torch.ones(3), colors)
