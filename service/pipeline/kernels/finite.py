"""Finite: how many values are no numbers."""

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.compiler import inner

_LARGEST = np.finfo(np.float32).max
_NONE, _ONE = np.int32(0), np.int32(1)


@inner
def count_unsound(values: Floats) -> np.int32:
    """Count the values of a flat array that are NaN or infinity."""
    count = _NONE
    for place in range(values.size):
        count += (
            _NONE if abs(values[place]) <= _LARGEST else _ONE
        )  # of 32 bits, so that eight are counted at once
    return count
