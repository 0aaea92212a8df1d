"""Memory: what the C library's allocator keeps when it is given back.

glibc takes ever larger blocks from its heaps once it has seen them freed, up to 32 MB, and a heap shrinks only at its
end. A network's intermediate results then stay resident for ever, in every thread's heap, of which there are up to
eight for each core. Small blocks are few here, so two heaps do.
"""

import ctypes
import os
import sys

# By the variable that states another one: the number of mallopt's parameter, and what it is set to.
_LIMITS = {
    # Bytes of a block that goes back to the system as soon as it is freed; bytes free at a heap's end that it may keep.
    "MALLOC_MMAP_THRESHOLD_": (-3, 4 << 20),
    "MALLOC_TRIM_THRESHOLD_": (-1, 16 << 20),
    "MALLOC_ARENA_MAX": (-8, 2),  # heaps
}


def keep_heaps_small() -> None:
    """Give large blocks back to the system when they are freed, for the whole process.

    It does nothing without glibc, and leaves alone what the environment states.
    """
    if library := _glibc():
        for variable, (parameter, value) in _LIMITS.items():
            if variable not in os.environ:
                library.mallopt(parameter, value)


def give_back() -> None:
    """Give back what is free within the heaps too, as after much was tried and closed again."""
    if library := _glibc():
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return library if hasattr(library, "malloc_trim") else None
