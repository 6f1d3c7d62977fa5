"""A perceptron with one hidden layer and no biases: the decoder of every field."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.kernels.perceptron import input_gradient, perceptron

__all__ = ["Perceptron", "decode"]


class Perceptron(nn.Module):
    """`W2 relu(W1 x)`. Without biases, features near zero decode to zero, so that a field begins as its density bias.

    Weights begin uniform with the variance of Glorot and Bengio (2010), as in Instant-NGP.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, rng: torch.Generator) -> None:
        super().__init__()
        self.first = nn.Parameter(glorot(hidden, inputs, rng))
        self.second = nn.Parameter(glorot(outputs, hidden, rng))

    def forward(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n outputs"]:
        """Every row decoded."""
        return perceptron(x, self.first, self.second)

    def gradient(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n inputs"]:
        """The derivative of the first output by the input, itself differentiable with respect to the weights."""
        return input_gradient(x, self.first, self.second)


def decode(x: Float[Tensor, "n inputs"], *networks: Perceptron) -> tuple[Tensor, ...]:
    """What several perceptrons make of one input, as one with all their hidden layers: x is read only once."""
    first = torch.cat([network.first for network in networks])
    second = torch.block_diag(*[network.second for network in networks])
    columns = perceptron(x, first, second).split([len(network.second) for network in networks], dim=1)
    return tuple(part.contiguous() for part in columns)


def glorot(rows: int, columns: int, rng: torch.Generator) -> Float[Tensor, "rows columns"]:
    """Uniform in `sqrt(6 / (rows + columns))` around zero."""
    return (2 * torch.rand(rows, columns, generator=rng) - 1) * math.sqrt(6 / (rows + columns))
