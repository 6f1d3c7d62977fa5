"""A background that depends on the direction in which one looks, learned with the scene."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.scenes.perceptron import Perceptron

__all__ = ["Environment", "spherical_harmonics"]


def spherical_harmonics(directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 9"]:
    """Real spherical harmonics of degrees 0, 1 and 2 of unit vectors."""
    x, y, z = directions.unbind(-1)
    one = torch.ones_like(x)
    first, second = 0.4886025119029199, 1.0925484305920792
    terms = [0.28209479177387814 * one, -first * y, first * z, -first * x]
    terms += [second * x * y, -second * y * z, 0.31539156525252005 * (3 * z * z - 1), -second * x * z]
    terms += [second / 2 * (x * x - y * y)]
    return torch.stack(terms, dim=-1)


class Environment(nn.Module):
    """Direction to colour: spherical harmonics, a hidden layer of 16, and a sigmoid where colours are asked for."""

    def __init__(self, channels: int, *, bounded: bool, rng: torch.Generator) -> None:
        super().__init__()
        self.bounded = bounded
        self.network = Perceptron(9, 16, channels, rng)

    def forward(self, directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        """What is seen in each direction."""
        raw: Tensor = self.network(spherical_harmonics(directions))
        return raw.sigmoid() if self.bounded else raw
