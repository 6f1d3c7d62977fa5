"""Calling a network in another precision than its caller's, without losing small gradients.

A half-precision network is differentiated with a scale of its own. If `g` is the gradient that arrives at the output,
the network sees `S g` with `S` the power of two for which `1/2 <= max |S g| < 1`, and every input receives `1/S` times
what comes out. A power of two is exact, so the result is the plain gradient wherever that one does not underflow.
Losses averaged over tens of thousands of latent entries send gradients of 1e-6 to 1e-4 into the network; without the
scale most of what they become inside it is below float16's smallest normal number, 6e-5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["call_in_precision"]

LARGEST_EXPONENT = 120
"""Bound of the scale's exponent, which keeps scale and inverse finite in float32."""


def call_in_precision(
    network: Callable[..., Float[Tensor, "..."]], dtype: torch.dtype, *inputs: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """`network(*inputs)` computed in `dtype`, returned in the dtype of the first input; gradients reach every input.

    Float16 gradients are scaled as the module's docstring says; bfloat16 and wider types need no scale, because their
    exponents reach as far as float32's.
    """
    caller = inputs[0].dtype
    if dtype is not torch.float16 or not torch.is_grad_enabled():
        return network(*(tensor.to(dtype) for tensor in inputs)).to(caller)
    scale = GradientScale(torch.ones(()))
    lowered = [LowerGradient.apply(tensor.float(), scale).to(dtype) for tensor in inputs]
    raised: Tensor = RaiseGradient.apply(network(*lowered).float(), scale)
    return raised.to(caller)


@dataclass
class GradientScale:
    """What the output's backward step tells the inputs' backward steps; one for each call of the network."""

    value: Tensor


class RaiseGradient(torch.autograd.Function):
    """Identity; its gradient is multiplied by a power of two that brings its largest entry into [1/2, 1)."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, scale: GradientScale) -> Tensor:
        """Returns `tensor`."""
        ctx.scale = scale
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Chooses the scale and applies it."""
        (gradient,) = gradients
        peak = gradient.abs().amax()
        exponent = torch.frexp(peak).exponent.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT)
        # A zero or non-finite gradient keeps scale 1, so that it arrives as what it is.
        usable = torch.isfinite(peak) & (peak > 0)
        ctx.scale.value = torch.where(usable, torch.ldexp(torch.ones_like(peak), -exponent), torch.ones_like(peak))
        return gradient * ctx.scale.value, None


class LowerGradient(torch.autograd.Function):
    """Identity; its gradient is divided by the scale that `RaiseGradient` chose."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, scale: GradientScale) -> Tensor:
        """Returns `tensor`."""
        ctx.scale = scale
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Undoes the scale."""
        return gradients[0] / ctx.scale.value, None
