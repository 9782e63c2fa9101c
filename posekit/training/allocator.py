"""Freed memory kept by the process, so that large maps are not asked of the system anew in every step."""

from __future__ import annotations

import ctypes
import platform

# Numbers of mallopt's parameters in glibc's malloc.h.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
LARGE = 2**30


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep what is freed, for the rest of the process.

    By default it gives large blocks back at once, and every step of a training on a CPU pays for new pages: 6 to 13 %
    of the processor time of a small network's step. The process holds on to its peak instead.

    Returns:
        Whether the allocator took it; there is nothing to be done on systems without glibc.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(name, LARGE // part) for name, part in ((MMAP_THRESHOLD, 1), (TRIM_THRESHOLD, 1), (TOP_PAD, 8)))
