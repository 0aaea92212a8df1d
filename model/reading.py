"""Where the pixels of a photograph are read among the network's cells, for the scores of segments."""

import numpy as np
from numpy.typing import NDArray

from model.bundle import HeadsSpec
from model.fit import Sizes

Numbers = NDArray[np.int32]


def nearest_cells(cells: int, sizes: Sizes, spec: HeadsSpec, side: int) -> Numbers:
    """The nearest cell of the network's stride of every row (side 0) or column (1) of the photograph, ascending."""
    places = (np.arange(sizes.output[side]) + 0.5) * sizes.fitted[side] / sizes.output[side]
    if spec.align_corners:
        nearest = np.rint((places - 0.5) * (cells - 1) / max(sizes.input[side] - 1, 1))
    else:
        nearest = np.floor(places / spec.stride)
    return np.clip(nearest, 0, cells - 1).astype(np.int32)


def middles(cells: Numbers) -> Numbers:
    """The middle of every run of equal numbers."""
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    return ((starts + np.append(starts[1:], cells.size)) // 2).astype(np.int32)
