"""Compiled kernels: heads at network stride to codes at the photograph's size.

Where SciPy is installed Numba loads it, 15 MB for linear algebra that no kernel calls; so it is hidden until Numba has
looked for it. Other functions that a process compiles by Numba give the same; an inner product or two takes longer.
"""

import importlib
import sys

if "scipy" not in sys.modules:
    sys.modules["scipy"] = None  # type: ignore[assignment]  # what importing it finds
    try:
        # It says for what processor, before Numba settles that.
        importlib.import_module(f"{__name__}.compiler")
        importlib.import_module("numba.core.registry").cpu_target.target_context.refresh()
    finally:
        del sys.modules["scipy"]
