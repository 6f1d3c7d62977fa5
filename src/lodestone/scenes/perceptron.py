"""A perceptron with one hidden layer and no biases: the decoder of every field."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Perceptron"]


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
        return (x @ self.first.T).relu() @ self.second.T

    def gradient(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n inputs"]:
        """The derivative of the first output by the input, `W1^T (W2_1 [W1 x > 0])`, itself differentiable."""
        open_gates = (x @ self.first.T).detach() > 0
        return torch.where(open_gates, self.second[0], torch.zeros_like(self.second[0])) @ self.first


def glorot(rows: int, columns: int, rng: torch.Generator) -> Float[Tensor, "rows columns"]:
    """Uniform in `sqrt(6 / (rows + columns))` around zero."""
    return (2 * torch.rand(rows, columns, generator=rng) - 1) * math.sqrt(6 / (rows + columns))
