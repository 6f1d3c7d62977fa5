"""Finds and loads the compiled CPU kernels.

`build.py` leaves one library per kernel and instruction set beside the sources. Here the fastest one that the processor
runs is loaded with ctypes, once per process; ctypes releases the interpreter's lock while a kernel runs.
"""

import ctypes
import functools
from pathlib import Path

import torch

from lodestone.kernels.build import Build, builds

__all__ = ["find_library", "load_library", "supported_builds"]


def supported_builds() -> tuple[Build, ...]:
    """The builds that this processor runs, the fastest first; torch knows it, and ATEN_CPU_CAPABILITY overrides it."""
    has_avx2 = torch.backends.cpu.get_cpu_capability().startswith("AVX")
    return tuple(build for build in builds() if has_avx2 or build.name != "x86-64-v3")


def find_library(source: str) -> Path | None:
    """The fastest compiled library of a kernel that this processor runs, or None if it was never compiled."""
    paths = (build.library(source) for build in supported_builds())
    return next((path for path in paths if path.is_file()), None)


@functools.cache
def load_library(path: Path) -> ctypes.CDLL:
    """Loads a library.

    Raises:
        OSError: If the file is not a library for this machine.
    """
    return ctypes.CDLL(str(path))
