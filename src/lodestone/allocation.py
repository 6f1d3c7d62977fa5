"""How the process keeps memory between steps.

Every step asks for the same large blocks. By default glibc returns blocks above 128 KB to the system when they are
freed and gets fresh pages, filled with zeros, for the next step; on two cores that took more time than rendering a
hash field: 280 ms a step instead of 62 ms.
"""

import ctypes
import sys

__all__ = ["keep_freed_memory"]

TRIM_THRESHOLD, LARGEST_TRIM = -1, 2**31 - 1
MMAP_THRESHOLD, LARGEST_MMAP = -3, 32 * 2**20
"""Parameters of mallopt, and the largest values that it takes."""


def keep_freed_memory() -> bool:
    """Keeps freed memory for the next step, for the whole process; False where there is no such setting.

    Only where the C library is glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    return bool(set_option(TRIM_THRESHOLD, LARGEST_TRIM)) and bool(set_option(MMAP_THRESHOLD, LARGEST_MMAP))
