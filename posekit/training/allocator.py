"""Keep freed memory in the process, so that large maps are not allocated from the system in every step."""

from __future__ import annotations

import ctypes
import platform

# Parameter numbers of mallopt, from glibc's malloc.h.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
LARGE = 2**30


def keep_freed_memory() -> bool:
    """Make glibc's allocator keep freed memory, for the rest of the process.

    By default it returns large blocks at once, and every step on a CPU pays for new pages. With this setting the
    process keeps its peak memory.

    Returns:
        Whether the setting was accepted; False on systems without glibc.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(name, LARGE // part) for name, part in ((MMAP_THRESHOLD, 1), (TRIM_THRESHOLD, 1), (TOP_PAD, 8)))
