"""Memory: what the C library's allocator keeps when it is given back.

glibc takes ever larger blocks from its heaps once it has seen them freed, up to 32 MB, and a heap shrinks only at its
end. A network's intermediate results then stay resident for ever, in every thread's heap.
"""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of mallopt's parameters
_LARGE = 4 << 20  # bytes of a block that goes back to the system as soon as it is freed
_FREE = 16 << 20  # bytes free at a heap's end that it may keep


def keep_heaps_small() -> None:
    """Give large blocks back to the system when they are freed, for the whole process.

    It does nothing without glibc, nor where MALLOC_MMAP_THRESHOLD_ or MALLOC_TRIM_THRESHOLD_ state something else.
    """
    if {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"} & os.environ.keys():
        return
    if sys.platform.startswith("linux") and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, _FREE)
