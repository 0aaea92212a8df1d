"""Compiling: for which processor, where the result is kept, and what happens where it can't be kept.

Numba keeps compiled code beside its source, in `__pycache__`, or in NUMBA_CACHE_DIR. Its key holds the processor's name
and features, so a cache that is made on one machine would be void on the next; the processor is therefore pinned to
x86-64-v3 (Intel since 2013, AMD since 2015) wherever that can run. NUMBA_CPU_NAME and NUMBA_CPU_FEATURES win over it.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import binding
from numba.core import caching
from numba.core import config as settings
from numpy.typing import NDArray

_V3 = ("avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt", "sse4.2", "xsave")
_FOLDER = Path(__file__).parent

config: Any = settings  # its names are made at import, which types cannot follow

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


class KernelCache(caching.InTreeCacheLocator):
    """Keeps an entry of this folder valid while no file of the folder changes, since kernels call each other.

    The folder may be read-only: what lies there is read, and nothing is written.
    """

    def get_source_stamp(self) -> bytes:
        """All sources in one hash."""
        sources = sorted(_FOLDER.glob("*.py"))
        return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).digest()

    def get_cache_path(self) -> str:
        """NUMBA_CACHE_DIR as it is, or `__pycache__` beside the sources."""
        return config.CACHE_DIR or str(_FOLDER / "__pycache__")

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "KernelCache":
        """Always one, so that a read-only cache is found too."""
        return cls(py_func, py_file)


# Kernels allocate nothing, so that nothing in them counts references: that alone cost a third of the time.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def inner(function: Kernel) -> Kernel:
    """Compile a function that only kernels call; it becomes part of them, or passing its arguments would cost more."""
    return cast(Kernel, numba.njit(forceinline=True, **_OPTIONS)(function))


def entry(function: Kernel) -> Kernel:
    """Compile a function that Python calls, at its first call; it releases the GIL, and is kept on disk."""
    config.CACHE_LOCATOR_CLASSES = f"{__name__}.{KernelCache.__name__}"
    try:
        kernel = numba.njit(cache=True, **_OPTIONS)(function)
    finally:
        config.CACHE_LOCATOR_CLASSES = ""  # other libraries keep theirs where they please
    cache = kernel._cache
    cache.load_overload = _if_possible(_if_readable(cache.load_overload, cache.flush))
    cache.save_overload = _if_possible(cache.save_overload)
    return cast(Kernel, kernel)


def plain(head: NDArray[np.float32]) -> NDArray[np.float32]:
    """An array as kernels are compiled for it: without gaps, and writable, which they make no use of."""
    is_plain = head.dtype == np.float32 and head.flags.carray  # mostly, and told at once
    return head if is_plain else np.require(head, np.float32, ("C", "A", "W"))


def _if_possible(access: Callable[..., Any]) -> Callable[..., Any]:
    """Do without a disk that is read-only or full: the code lives in memory, and the next start compiles again."""

    def attempt(*arguments: Any) -> Any:
        try:
            return access(*arguments)
        except OSError:
            return None

    return attempt


def _if_readable(load: Callable[..., Any], forget: Callable[[], None]) -> Callable[..., Any]:
    """Forget what can't be read: damaged, or of older sources, with types that are no more."""

    def attempt(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except OSError:
            raise
        except Exception:  # whatever unpickling may raise, which is anything
            forget()
            return None

    return attempt


def _pin_processor() -> None:
    if config.CPU_NAME is not None or config.CPU_FEATURES is not None:
        return
    features = binding.get_host_cpu_features()
    if all(features.get(name, False) for name in _V3):
        config.CPU_NAME = "x86-64-v3"
        config.CPU_FEATURES = ",".join(f"+{name}" for name in _V3)


_pin_processor()  # before the first function is compiled: the first one settles the processor for all
