"""BLAS: NumPy and OpenCV bring one each, which starts a thread for every core but one; nothing here computes by it.

Commands import this before either. The threads would only wait, and a container that may have few has none to spare.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
