"""Compiled kernels: heads at network stride to codes at the photograph's size.

Where SciPy is installed Numba loads it, 15 MB for linear algebra that no kernel calls; so it is hidden until Numba has
looked for it.
"""

import importlib
import sys

if "scipy" not in sys.modules:
    sys.modules["scipy"] = None  # type: ignore[assignment]  # what importing it finds
    try:
        importlib.import_module(
            f"{__name__}.compiler"
        )  # which says for what processor, before Numba settles that
        importlib.import_module("numba.core.registry").cpu_target.target_context.refresh()
    finally:
        del sys.modules["scipy"]
