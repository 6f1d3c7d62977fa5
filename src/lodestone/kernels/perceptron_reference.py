r"""Perceptrons in plain torch: the truth that the native kernel is held to, and the CUDA route.

Any dtype, any device, differentiable any number of times by autograd, no custom code. For a row x

.. math:: y = W_2\, \mathrm{relu}(W_1 x), \quad
          \frac{\partial y_1}{\partial x} = W_1^T \left([W_1 x > 0] \circ w\right),

where w is the first row of :math:`W_2`. The gates :math:`[W_1 x > 0]` are constant wherever they have a derivative.
"""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["input_gradient_reference", "perceptron_reference"]


def perceptron_reference(
    x: Float[Tensor, "n inputs"], first: Float[Tensor, "hidden inputs"], second: Float[Tensor, "outputs hidden"]
) -> Float[Tensor, "n outputs"]:
    """Every row decoded."""
    return (x @ first.T).relu() @ second.T


def input_gradient_reference(
    x: Float[Tensor, "n inputs"], first: Float[Tensor, "hidden inputs"], second: Float[Tensor, "outputs hidden"]
) -> Float[Tensor, "n inputs"]:
    """The derivative of the first output by the input."""
    open_gates = (x @ first.T).detach() > 0
    return torch.where(open_gates, second[0], torch.zeros_like(second[0])) @ first
