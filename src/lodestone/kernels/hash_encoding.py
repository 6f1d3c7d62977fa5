r"""Multiresolution hash encoding: positions in the unit cube to two features on each of several levels.

The one door to two implementations: a native CPU kernel, and plain torch on any device. `hash_encoding_reference.py`
states the equations. A voxel grid is the same operation with levels of one resolution, each holding all its vertices.

References:
    | Instant Neural Graphics Primitives with a Multiresolution Hash Encoding (Mueller et al., 2022), arXiv 2201.05989
"""

import ctypes
import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from lodestone.errors import SettingError
from lodestone.kernels.hash_encoding_reference import encode_reference, position_gradient_reference
from lodestone.kernels.native_kernel import Implementation, NativeKernel, check_status, pointer

__all__ = ["HashGrid", "encode", "position_gradient"]


@dataclass(frozen=True)
class HashGrid:
    """Levels: how many cells each has along a side, and how many entries a level holds at most."""

    resolutions: tuple[int, ...]
    table_size: int
    """A power of two, unless every level holds all of its vertices."""

    def __post_init__(self) -> None:
        power_of_two = self.table_size > 0 and self.table_size & (self.table_size - 1) == 0
        if not self.resolutions or min(self.resolutions) < 1 or max(self.resolutions) > 2**20:
            raise SettingError(f"a hash grid has resolutions {self.resolutions}: give one to 2^20 cells on every level")
        if not 1 <= self.table_size <= 2**30 or not (power_of_two or self.dense(max(self.resolutions))):
            raise SettingError(f"a hash grid has tables of {self.table_size} entries: choose a power of two up to 2^30")

    @classmethod
    def geometric(cls, levels: int, table_size: int, base: int, finest: int) -> "HashGrid":
        """Resolutions `floor(base b^l)` with `b = (finest / base)^(1 / (levels - 1))` (equations 2 and 3)."""
        growth = math.log(finest / base) / max(1, levels - 1)
        return cls(tuple(math.floor(base * math.exp(growth * level) + 1e-6) for level in range(levels)), table_size)

    def dense(self, resolution: int) -> bool:
        """Whether a level of this resolution holds all of its vertices."""
        return (resolution + 1) ** 3 <= self.table_size

    @property
    def levels(self) -> int:
        """How many levels there are."""
        return len(self.resolutions)

    @property
    def offsets(self) -> tuple[int, ...]:
        """The first entry of each level, and the number of all entries."""
        sizes = [min((resolution + 1) ** 3, self.table_size) for resolution in self.resolutions]
        return tuple(itertools.accumulate(sizes, initial=0))

    @property
    def entries(self) -> int:
        """Rows of the table."""
        return self.offsets[-1]


# ------------------------------------------------------------------------------------------------ the native kernel


class _HashEncoding(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("points", "levels", "active", "threads")],
        *[(name, ctypes.c_void_p) for name in ("resolutions", "offsets", "positions", "table")],
    ]


def _declare(library: ctypes.CDLL) -> None:
    encoding, array = ctypes.POINTER(_HashEncoding), ctypes.c_void_p
    library.lodestone_hash_encoding_gather.argtypes = [encoding, array, array]
    library.lodestone_hash_encoding_scatter.argtypes = [encoding, array, array, array]
    library.lodestone_hash_encoding_pull.argtypes = [encoding, array, array, array]


NATIVE = NativeKernel("hash_encoding", version=1, declare=_declare)


@functools.cache
def _layout(grid: HashGrid) -> tuple[Tensor, Tensor]:
    return torch.tensor(grid.resolutions), torch.tensor(grid.offsets)


def _arguments(grid: HashGrid, active: int, points: Tensor, table: Tensor | None) -> _HashEncoding:
    resolutions, offsets = (pointer(tensor) for tensor in _layout(grid))
    counts = (len(points), grid.levels, active, torch.get_num_threads())
    return _HashEncoding(*counts, resolutions, offsets, pointer(points), pointer(table))


def gather(grid: HashGrid, active: int, points: Tensor, table: Tensor, direction: Tensor | None = None) -> Tensor:
    """The features, or their derivative along a direction at each point."""
    out = points.new_empty(len(points), 2 * grid.levels)
    arguments = _arguments(grid, active, points, table)
    check_status(NATIVE.library.lodestone_hash_encoding_gather(arguments, pointer(direction), out.data_ptr()))
    return out


def scatter(grid: HashGrid, active: int, points: Tensor, cotangent: Tensor, direction: Tensor | None = None) -> Tensor:
    """The transpose of `gather` with respect to the table."""
    out = points.new_empty(grid.entries, 2)
    arguments = _arguments(grid, active, points, None)
    run = NATIVE.library.lodestone_hash_encoding_scatter
    check_status(run(arguments, pointer(direction), cotangent.data_ptr(), out.data_ptr()))
    return out


def pull(
    grid: HashGrid, active: int, points: Tensor, table: Tensor, cotangent: Tensor, direction: Tensor | None = None
) -> Tensor:
    """The transpose of `gather` with respect to the positions."""
    out = points.new_empty(len(points), 3)
    arguments = _arguments(grid, active, points, table)
    run = NATIVE.library.lodestone_hash_encoding_pull
    check_status(run(arguments, pointer(direction), cotangent.data_ptr(), out.data_ptr()))
    return out


class _Encoding(torch.autograd.Function):
    """Features; the gradient with respect to the positions can be differentiated once more."""

    @staticmethod
    def forward(ctx: Any, grid: HashGrid, active: int, points: Tensor, table: Tensor) -> Tensor:
        points, table = points.contiguous(), table.contiguous()
        ctx.grid, ctx.active = grid, active
        ctx.save_for_backward(points, table)
        return gather(grid, active, points, table)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[None, None, Tensor | None, Tensor | None]:
        (points, table), (grid, active) = ctx.saved_tensors, (ctx.grid, ctx.active)
        _, _, points_needed, table_needed = ctx.needs_input_grad
        of_points = _PositionGradient.apply(grid, active, points, table, cotangent) if points_needed else None
        of_table = _TableGradient.apply(grid, active, points, cotangent) if table_needed else None
        return None, None, of_points, of_table


class _PositionGradient(torch.autograd.Function):
    """`J^T g` with the Jacobian J of the features with respect to the position."""

    @staticmethod
    def forward(ctx: Any, grid: HashGrid, active: int, points: Tensor, table: Tensor, cotangent: Tensor) -> Tensor:
        points, table, cotangent = points.contiguous(), table.contiguous(), cotangent.contiguous()
        ctx.grid, ctx.active = grid, active
        ctx.save_for_backward(points, table, cotangent)
        return pull(grid, active, points, table, cotangent)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, direction: Tensor) -> tuple[Tensor | None, ...]:
        points, table, cotangent = ctx.saved_tensors
        grid, active, direction = ctx.grid, ctx.active, direction.contiguous()
        _, _, points_needed, table_needed, cotangent_needed = ctx.needs_input_grad
        return (
            None,
            None,
            pull(grid, active, points, table, cotangent, direction) if points_needed else None,
            scatter(grid, active, points, cotangent, direction) if table_needed else None,
            gather(grid, active, points, table, direction) if cotangent_needed else None,
        )


class _TableGradient(torch.autograd.Function):
    """The gradient with respect to the table, which is linear in g."""

    @staticmethod
    def forward(ctx: Any, grid: HashGrid, active: int, points: Tensor, cotangent: Tensor) -> Tensor:
        cotangent = cotangent.contiguous()
        ctx.grid, ctx.active = grid, active
        ctx.save_for_backward(points, cotangent)
        return scatter(grid, active, points, cotangent)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, table: Tensor) -> tuple[Tensor | None, ...]:
        points, cotangent = ctx.saved_tensors
        grid, active, table = ctx.grid, ctx.active, table.contiguous()
        of_points = pull(grid, active, points, table, cotangent) if ctx.needs_input_grad[2] else None
        return None, None, of_points, gather(grid, active, points, table) if ctx.needs_input_grad[3] else None


# -------------------------------------------------------------------------------------------------------- the operation


def encode(
    points: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    grid: HashGrid,
    active: int | None = None,
    implementation: Implementation = Implementation.AUTO,
) -> Float[Tensor, "n columns"]:
    """The features of all levels side by side, two columns each: trilinear in the level's cell.

    Differentiable with respect to points and table; gradients can be differentiated once more, which is what normals
    from the gradient of a density need. The twin can be differentiated any number of times. With the native kernel
    results are equal to the bit for any number of threads.

    Args:
        points: In the unit cube; others are moved to its surface, and get no gradient along the axes concerned.
        table: Entries of all levels, one level after another as `grid.offsets` says.
        grid: The levels.
        active: Levels that count, the coarsest first; the columns of others are zero and cost nothing. All by default.
        implementation: The native kernel or its twin.

    Raises:
        ValueError: If shapes, dtypes or devices disagree; as SettingError, if the kernel asked for is not compiled.
    """
    active = grid.levels if active is None else active
    _check(points, table, grid, active)
    if NATIVE.runs(implementation, points):
        features: Tensor = _Encoding.apply(grid, active, points, table)
        return features
    return encode_reference(points, table, grid.resolutions, grid.offsets, active)


def position_gradient(
    points: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    cotangent: Float[Tensor, "n columns"],
    grid: HashGrid,
    active: int | None = None,
    implementation: Implementation = Implementation.AUTO,
) -> Float[Tensor, "n 3"]:
    """`J^T g`: the gradient with respect to the positions of a function whose gradient by the features is known.

    The same as `torch.autograd.grad(encode(...), points, cotangent, create_graph=True)`, without computing what nobody
    asked for: a custom operation in torch is not told which of its inputs' gradients are wanted. Differentiable once
    with respect to points, table and cotangent.
    """
    active = grid.levels if active is None else active
    _check(points, table, grid, active)
    if NATIVE.runs(implementation, points):
        gradient: Tensor = _PositionGradient.apply(grid, active, points, table, cotangent)
        return gradient
    return position_gradient_reference(points, table, cotangent, grid.resolutions, grid.offsets, active)


def _check(points: Tensor, table: Tensor, grid: HashGrid, active: int) -> None:
    if not 0 <= active <= grid.levels:
        raise ValueError(f"active must be from 0 to {grid.levels}, not {active}")
    if points.shape[1:] != (3,) or table.shape != (grid.entries, 2):
        raise ValueError(
            f"points must have shape (n, 3) and the table {(grid.entries, 2)}, "
            f"not {tuple(points.shape)} and {tuple(table.shape)}"
        )
    if (points.dtype, points.device) != (table.dtype, table.device):
        raise ValueError(f"points are {points.dtype} on {points.device}, the table {table.dtype} on {table.device}")
