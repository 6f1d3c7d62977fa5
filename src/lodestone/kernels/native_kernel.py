"""A native kernel as its Python side sees it: the library, a sentence about it, and when it is used."""

import ctypes
import enum
import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.kernels.native import find_library, load_library

__all__ = ["Implementation", "NativeKernel", "check_status", "pointer"]


class Implementation(enum.Enum):
    """Which implementation runs; AUTO takes the native kernel for float32 on the CPU if it is compiled."""

    AUTO = "auto"
    NATIVE = "native"
    REFERENCE = "reference"


@dataclass(frozen=True)
class NativeKernel:
    """A compiled source, by its name; `version` is what its library must answer."""

    name: str
    version: int
    declare: Callable[[ctypes.CDLL], None]
    """Sets the argument types of the library's functions."""

    @property
    def library(self) -> ctypes.CDLL:
        """The library.

        Raises: SettingError if it is not compiled for this machine.
        """
        library, status = _load(self)
        if library is None:
            raise SettingError(status)
        return library

    @property
    def available(self) -> bool:
        """Whether it is compiled for this machine and loads."""
        return _load(self)[0] is not None

    @property
    def status(self) -> str:
        """One sentence on which library is in use, or why none is and what to do."""
        return _load(self)[1]

    def runs(self, implementation: Implementation, tensor: Tensor) -> bool:
        """Whether the native kernel is to be used for tensors like this one.

        Raises: ValueError if it is asked for and cannot; as SettingError if it is not compiled.
        """
        suits = tensor.device.type == "cpu" and tensor.dtype == torch.float32
        if implementation is Implementation.AUTO:
            return suits and self.available
        if implementation is Implementation.NATIVE and not suits:
            raise ValueError(
                f"the native {self.name} kernel takes float32 tensors on the cpu, not {tensor.dtype} on {tensor.device}"
            )
        return implementation is Implementation.NATIVE


@functools.cache
def _load(kernel: NativeKernel) -> tuple[ctypes.CDLL | None, str]:
    """The library, or None, and a sentence about it."""
    remedy = "run `python -m lodestone.kernels.build`"
    path = find_library(kernel.name)
    if path is None:
        return None, f"the native {kernel.name} kernel is not compiled: {remedy}"
    try:
        library = load_library(path)
    except OSError as error:
        return None, f"the native {kernel.name} kernel {path.name} cannot be loaded: {error}"
    if getattr(library, f"lodestone_{kernel.name}_version")() != kernel.version:
        return None, f"the native {kernel.name} kernel {path.name} is out of date: {remedy}"
    kernel.declare(library)
    return library, f"the native {kernel.name} kernel is {path.name}"


def check_status(status: int) -> None:
    """Raises: MemoryError, SettingError or RuntimeError unless a kernel reports success."""
    if status == 1:
        raise MemoryError("a native kernel ran out of memory: render fewer Gaussians, views or pixels at a time")
    if status == 2:
        raise SettingError(
            "more than 2**31 pairs of Gaussians and tiles: render fewer views at a time, or smaller Gaussians"
        )
    if status != 0:
        raise RuntimeError("a native kernel failed")


def pointer(tensor: Tensor | None) -> int | None:
    """The address of a contiguous tensor's data; null for None."""
    if tensor is None:
        return None
    assert tensor.is_contiguous()
    return tensor.data_ptr()
