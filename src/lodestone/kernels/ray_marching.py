"""Ray marching through a cube: equidistant samples, of which those in occupied cells are kept.

The one door to two implementations: a native CPU kernel, and plain torch on any device; `ray_marching_reference.py`
states the rule. Nothing here is differentiable.
"""

import ctypes
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lodestone.kernels.native_kernel import Implementation, NativeKernel, check_status, pointer
from lodestone.kernels.ray_marching_reference import march_reference, most_samples

__all__ = ["PackedSamples", "march"]


@dataclass(frozen=True)
class PackedSamples:
    """Samples on rays, ray after ray and from near to far within each."""

    offsets: Int[Tensor, " rays_and_one"]
    """The samples of ray r are `offsets[r]` to `offsets[r + 1] - 1`."""
    ray: Int[Tensor, " s"]
    distance: Float[Tensor, " s"]
    position: Float[Tensor, "s 3"]

    def __len__(self) -> int:
        return self.ray.shape[0]


class _Marching(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("rays", "resolution", "words", "threads")],
        *[(name, ctypes.c_void_p) for name in ("origins", "directions", "shift", "occupied")],
        *[(name, ctypes.c_float) for name in ("bound", "step")],
    ]


def _declare(library: ctypes.CDLL) -> None:
    given, array = ctypes.POINTER(_Marching), ctypes.c_void_p
    library.lodestone_ray_marching_mark.argtypes = [given, array, array]
    library.lodestone_ray_marching_write.argtypes = [given, *[array] * 5]


NATIVE = NativeKernel("ray_marching", version=1, declare=_declare)


def _march_native(
    origins: Tensor, directions: Tensor, shift: Tensor, occupied: Tensor, bound: float, step: float
) -> tuple[Tensor, ...]:
    inputs = [tensor.contiguous() for tensor in (origins, directions, shift, occupied)]
    rays, words = len(origins), -(-most_samples(bound, step) // 64)
    sizes = (rays, len(occupied), words, torch.get_num_threads())
    arguments = _Marching(*sizes, *map(pointer, inputs), bound, step)
    mask = torch.empty(rays, words, dtype=torch.int64)
    offsets = torch.zeros(rays + 1, dtype=torch.int64)
    check_status(NATIVE.library.lodestone_ray_marching_mark(arguments, pointer(mask), pointer(offsets[1:])))
    offsets = offsets.cumsum(0)
    count = int(offsets[-1])
    ray = torch.empty(count, dtype=torch.int64)
    distance, position = origins.new_empty(count), origins.new_empty(count, 3)
    out = map(pointer, (mask, offsets, ray, distance, position))
    check_status(NATIVE.library.lodestone_ray_marching_write(arguments, *out))
    return offsets, ray, distance, position


@torch.no_grad()
def march(
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    shift: Float[Tensor, " r"],
    occupied: Bool[Tensor, "n n n"],
    bound: float,
    step: float,
    implementation: Implementation = Implementation.AUTO,
) -> PackedSamples:
    """The samples of all rays that lie in occupied cells of the cube `[-bound, bound]^3`.

    Args:
        origins: Where rays begin; samples behind are not taken.
        directions: Unit vectors.
        shift: Where the first sample stands in its interval, in [0, 1): 0.5 for its middle, random in training.
        occupied: Which cells of the cube are worth a sample, x slowest.
        bound: Half the side of the cube.
        step: Distance from sample to sample.
        implementation: The native kernel or its twin.
    """
    inputs = (origins, directions, shift, occupied, bound, step)
    run = _march_native if NATIVE.runs(implementation, origins) else march_reference
    return PackedSamples(*run(*inputs))
