r"""Perceptrons with one hidden layer and no biases, for many rows at a time: what decodes the features of a field.

The one door to two implementations: a native CPU kernel, and plain torch on any device. `perceptron_reference.py`
states the equations. The native kernel never stores the hidden layer: going back computes it again.
"""

import ctypes
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from lodestone.kernels.native_kernel import Implementation, NativeKernel, check_status, pointer
from lodestone.kernels.perceptron_reference import input_gradient_reference, perceptron_reference

__all__ = ["input_gradient", "perceptron"]


# ------------------------------------------------------------------------------------------------ the native kernel


class _Perceptron(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("rows", "inputs", "hidden", "outputs", "threads")],
        *[(name, ctypes.c_void_p) for name in ("x", "first", "second")],
    ]


def _declare(library: ctypes.CDLL) -> None:
    given, array = ctypes.POINTER(_Perceptron), ctypes.c_void_p
    library.lodestone_perceptron_forward.argtypes = [given, array]
    library.lodestone_perceptron_backward.argtypes = [given, *[array] * 4]
    library.lodestone_perceptron_bend.argtypes = [given, *[array] * 3]


NATIVE = NativeKernel("perceptron", version=1, declare=_declare)


def _arguments(x: Tensor, first: Tensor, second: Tensor) -> _Perceptron:
    counts = (*x.shape, len(first), len(second), torch.get_num_threads())
    return _Perceptron(*counts, *map(pointer, (x, first, second)))


def _pull(inputs: tuple[Tensor, ...], cotangent: Tensor, needed: tuple[bool, ...]) -> tuple[Tensor | None, ...]:
    """The gradients by x, W1 and W2 that are needed."""
    out = tuple(torch.empty_like(tensor) if need else None for tensor, need in zip(inputs, needed, strict=True))
    run = NATIVE.library.lodestone_perceptron_backward
    check_status(run(_arguments(*inputs), pointer(cotangent), *map(pointer, out)))
    return out


class _Decoding(torch.autograd.Function):
    """`W2 relu(W1 x)`."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        x, first, second = inputs = tuple(tensor.contiguous() for tensor in inputs)
        ctx.save_for_backward(*inputs)
        out = x.new_empty(len(x), len(second))
        check_status(NATIVE.library.lodestone_perceptron_forward(_arguments(x, first, second), pointer(out)))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        return _pull(ctx.saved_tensors, cotangent.contiguous(), ctx.needs_input_grad)


class _InputGradient(torch.autograd.Function):
    """The derivative of the only output by x; by x itself it is constant almost everywhere."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        inputs = tuple(tensor.contiguous() for tensor in inputs)
        ctx.save_for_backward(*inputs)
        gradient = _pull(inputs, inputs[0].new_ones(len(inputs[0]), 1), (True, False, False))[0]
        assert gradient is not None
        return gradient

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, direction: Tensor) -> tuple[Tensor | None, ...]:
        x, first, second = ctx.saved_tensors
        direction, of_first, of_second = direction.contiguous(), torch.empty_like(first), torch.empty_like(second)
        out = map(pointer, (direction, of_first, of_second))
        check_status(NATIVE.library.lodestone_perceptron_bend(_arguments(x, first, second), *out))
        return None, of_first, of_second


# -------------------------------------------------------------------------------------------------------- the operation


def perceptron(
    x: Float[Tensor, "n inputs"],
    first: Float[Tensor, "hidden inputs"],
    second: Float[Tensor, "outputs hidden"],
    implementation: Implementation = Implementation.AUTO,
) -> Float[Tensor, "n outputs"]:
    """`W2 relu(W1 x)` of every row.

    Differentiable, once, with respect to x and both weights; the twin can be differentiated any number of times. With
    the native kernel results are equal to the bit for any number of threads.

    Args:
        x: One row for each point.
        first: W1.
        second: W2.
        implementation: The native kernel or its twin.

    Raises:
        ValueError: If shapes, dtypes or devices disagree; as SettingError, if the kernel asked for is not compiled.
    """
    _check(x, first, second)
    if NATIVE.runs(implementation, x):
        out: Tensor = _Decoding.apply(x, first, second)
        return out
    return perceptron_reference(x, first, second)


def input_gradient(
    x: Float[Tensor, "n inputs"],
    first: Float[Tensor, "hidden inputs"],
    second: Float[Tensor, "outputs hidden"],
    implementation: Implementation = Implementation.AUTO,
) -> Float[Tensor, "n inputs"]:
    """The derivative of the first output by the input, `W1^T ([W1 x > 0] w)` with w the first row of W2.

    Differentiable, once, with respect to both weights; it does not depend on x but through its gates, and x gets no
    gradient. Arguments and errors are those of `perceptron`.
    """
    _check(x, first, second)
    if NATIVE.runs(implementation, x):
        gradient: Tensor = _InputGradient.apply(x.detach(), first, second[:1])
        return gradient
    return input_gradient_reference(x, first, second)


def _check(x: Tensor, first: Tensor, second: Tensor) -> None:
    if x.ndim != 2 or first.shape[1:] != x.shape[1:] or second.shape[1:] != first.shape[:1] or not len(second):
        raise ValueError(
            "x, W1 and W2 must have shapes (n, i), (h, i) and (o, h), "
            f"not {tuple(x.shape)}, {tuple(first.shape)} and {tuple(second.shape)}"
        )
    for name, weights in (("W1", first), ("W2", second)):
        if (x.dtype, x.device) != (weights.dtype, weights.device):
            raise ValueError(f"x is {x.dtype} on {x.device}, {name} {weights.dtype} on {weights.device}")
