"""Finite: how many values of the heads are no numbers, in one look at each."""

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.compiler import entry, inner

_LARGEST = np.finfo(np.float32).max
_NONE, _ONE = np.int32(0), np.int32(1)


@entry
def count_unsound(semantic: Floats, center: Floats, offset: Floats) -> tuple[np.int64, np.int64, np.int64]:
    """Count the values of each head, flat and without gaps, that are NaN or infinity."""
    return _count(semantic), _count(center), _count(offset)


@inner
def _count(values: Floats) -> np.int64:
    count = _NONE
    for place in range(values.size):
        count += (
            _NONE if abs(values[place]) <= _LARGEST else _ONE
        )  # of 32 bits, so that eight are counted at once
    return np.int64(count)
