"""Every cell's best classes: which leads, what the next ones have, and how probable the first is."""

from typing import NamedTuple

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.axis import Numbers
from service.pipeline.kernels.compiler import entry
from service.pipeline.kernels.finite import count_unsound
from service.pipeline.kernels.ranks import rank_cells
from service.pipeline.kernels.vectors import LANES

# More than all roundings of an interpolation, as a part of the largest value.
_ROUNDING = np.float32(2.0**-17)
_APART = 80  # values between maps, which a power of two apart would take each other's places in the caches


class Ranking(NamedTuple):
    """What is known of every cell, (h, w) each."""

    best: Numbers  # the best class, the first of equal ones
    logits: Floats  # its logit
    seconds: Floats  # the second largest logit
    thirds: Floats  # the third largest
    shares: Floats  # probability of the best class
    margin: np.float32  # a lead that no rounding can turn; NaN where one of the heads' values is no number

    @property
    def sound(self) -> bool:
        """Whether all values of the heads are numbers; of others the rest means nothing."""
        return not np.isnan(self.margin)


def rank(semantic: Floats, heat: Floats, offset: Floats) -> Ranking:
    """Rank the classes of every cell, and see on the way whether all heads are numbers.

    Args:
        semantic: (C, h, w) logits.
        heat: (h, w).
        offset: (2, h, w).
    """
    classes, *size = semantic.shape
    cells = semantic.reshape(classes, -1)
    if cells.shape[1] < LANES:  # more are looked at in any case
        cells = np.pad(cells, ((0, 0), (0, LANES - cells.shape[1])), mode="edge")
    best = np.empty(cells.shape[1], np.int32)
    logits, seconds, thirds, shares = np.empty((4, cells.shape[1] + _APART), np.float32)[:, : cells.shape[1]]
    values, largest = np.empty((classes, LANES), np.float32), np.zeros(LANES, np.float32)
    heads = (cells, heat.reshape(-1), offset.reshape(-1))
    _rank(*heads, best, logits, seconds, thirds, shares, values, largest)
    there_are = size[0] * size[1]
    logits, seconds, thirds, shares = (
        each[:there_are].reshape(size) for each in (logits, seconds, thirds, shares)
    )
    margin = largest.max() * _ROUNDING
    return Ranking(best[:there_are].reshape(size), logits, seconds, thirds, shares, margin)


@entry
def _rank(
    semantic: Floats,
    heat: Floats,
    offset: Floats,
    best: Numbers,
    logits: Floats,
    seconds: Floats,
    thirds: Floats,
    shares: Floats,
    values: Floats,
    largest: Floats,
) -> None:
    """Fill in the ranking.

    Args:
        semantic: (C, n), n at least LANES; the ranking is (n,).
        heat, offset: flat.
        values: (C, LANES) scratch.
        largest: (LANES,), zeros at first; then their maximum is that of the best logits without their signs, or NaN.
    """
    cells = best.size
    for start in range(0, cells, LANES):
        place = min(start, cells - LANES)  # the last ones may be ranked twice
        rank_cells(semantic, place, values, best, logits, seconds, thirds, shares, largest)
    if count_unsound(heat) + count_unsound(offset) > 0:
        largest[0] = np.float32(np.nan)
