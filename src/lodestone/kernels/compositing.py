r"""Transmittance compositing of packed samples: what a ray sees of a medium that absorbs and emits.

The one door to two implementations: a native CPU kernel, and plain torch on any device. `compositing_reference.py`
states the equations. The samples of all rays lie one after another, so that rays may have any number of them.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from lodestone.kernels.compositing_reference import composite_reference
from lodestone.kernels.native_kernel import Implementation, NativeKernel, check_status, pointer

__all__ = ["Composed", "composite"]


@dataclass(frozen=True)
class Composed:
    """Weights of the samples, and what each ray sees."""

    weights: Float[Tensor, " s"]
    """Opacity times transmittance."""
    values: Float[Tensor, "rays c"]
    """Sum of weighted values, premultiplied: no background is added."""
    opacity: Float[Tensor, " rays"]
    distance: Float[Tensor, " rays"]
    """Sum of weighted distances, not divided by the opacity."""


class _Compositing(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("rays", "channels", "threads")],
        *[(name, ctypes.c_void_p) for name in ("offsets", "density", "width", "distance", "values")],
    ]


class _Composed(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("weights", "values", "opacity", "distance")]


def _declare(library: ctypes.CDLL) -> None:
    given, composed = ctypes.POINTER(_Compositing), ctypes.POINTER(_Composed)
    library.lodestone_compositing_forward.argtypes = [given, composed]
    library.lodestone_compositing_backward.argtypes = [given, ctypes.c_void_p, composed, *[ctypes.c_void_p] * 2]


NATIVE = NativeKernel("compositing", version=1, declare=_declare)


def _arguments(density: Tensor, width: Tensor, distance: Tensor, values: Tensor, offsets: Tensor) -> _Compositing:
    counts = (len(offsets) - 1, values.shape[1], torch.get_num_threads())
    return _Compositing(*counts, *map(pointer, (offsets, density, width, distance, values)))


class _NativeCompositing(torch.autograd.Function):
    """The native kernel under autograd: density and values get gradients."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        inputs = tuple(tensor.contiguous() for tensor in inputs)
        density, _, _, values, offsets = inputs
        rays = len(offsets) - 1
        weights, opacity, distance = torch.empty_like(density), density.new_empty(rays), density.new_empty(rays)
        sums = density.new_empty(rays, values.shape[1])
        out = _Composed(*map(pointer, (weights, sums, opacity, distance)))
        check_status(NATIVE.library.lodestone_compositing_forward(_arguments(*inputs), out))
        ctx.save_for_backward(*inputs, weights)
        ctx.set_materialize_grads(False)
        return weights, sums, opacity, distance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        *inputs, weights = ctx.saved_tensors
        of_density = torch.empty_like(inputs[0])
        of_values = torch.empty_like(inputs[3]) if ctx.needs_input_grad[3] else None
        kept = [None if gradient is None else gradient.contiguous() for gradient in gradients]
        run = NATIVE.library.lodestone_compositing_backward
        given, of_images = _arguments(*inputs), _Composed(*map(pointer, kept))
        check_status(run(given, pointer(weights), of_images, pointer(of_density), pointer(of_values)))
        return of_density, None, None, of_values, None


def composite(
    density: Float[Tensor, " s"],
    width: Float[Tensor, " s"],
    distance: Float[Tensor, " s"],
    values: Float[Tensor, "s c"],
    offsets: Int[Tensor, " rays_and_one"],
    implementation: Implementation = Implementation.AUTO,
) -> Composed:
    """Composites samples along their rays, front to back.

    Differentiable, once, with respect to density and values: all four outputs carry gradients. With the native kernel
    results are equal to the bit for any number of threads.

    Args:
        density: Absorption per unit of length, not negative.
        width: Lengths of the samples' intervals.
        distance: From the ray's origin, rising along each ray.
        values: What a sample shows: a colour, latents, a normal.
        offsets: The samples of ray r are `offsets[r]` to `offsets[r + 1] - 1`; int64, from 0 to s.
        implementation: The native kernel or its twin.

    Raises:
        ValueError: If width or distance require a gradient, or offsets do not fit; as SettingError, if the kernel
            asked for is not compiled.
    """
    if width.requires_grad or distance.requires_grad:
        raise ValueError("width and distance get no gradient from compositing: detach them")
    if not len(density) == len(width) == len(distance) == len(values):
        raise ValueError("density, width, distance and values must have one row for each sample")
    ends = (int(offsets[0]), int(offsets[-1])) if offsets.dtype == torch.int64 and len(offsets) else None
    if ends != (0, len(density)) or bool((offsets.diff() < 0).any()):
        raise ValueError(f"offsets must be int64 and rise from 0 to the number of samples, {len(density)}")
    inputs = (density, width, distance, values, offsets)
    if NATIVE.runs(implementation, density):
        return Composed(*_NativeCompositing.apply(*inputs))
    return Composed(*composite_reference(*inputs))
