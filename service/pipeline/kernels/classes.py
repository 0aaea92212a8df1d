"""Every cell's best classes: which leads, what the next ones have, and how probable the first is."""

import math
from typing import NamedTuple

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.axis import Numbers
from service.pipeline.kernels.compiler import entry
from service.pipeline.kernels.fetch import fetch
from service.pipeline.kernels.finite import count_unsound
from service.pipeline.kernels.ranks import rank_cells
from service.pipeline.kernels.vectors import LANES

# More than all roundings of an interpolation, as a part of the largest value.
_ROUNDING = np.float32(2.0**-17)
_APART = 80  # values between maps, which a power of two apart would take each other's places in the caches
_MANY = 80  # classes from which more cells are fetched at a time than are ranked at a time
RUN = 8 * LANES  # of them


class Ranking(NamedTuple):
    """What is known of every cell, (h, w) each."""

    best: Numbers  # the best class, the first of equal ones
    logits: Floats  # its logit
    seconds: Floats  # the second largest logit
    thirds: Floats  # the third largest
    shares: Floats  # probability of the best class
    peaks: Floats  # (R, C) each class's highest logit among RUN cells in a row; R is 0 where they were ranked in place
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
    width = min(RUN, cells.shape[1])
    runs = math.ceil(cells.shape[1] / width) if classes >= _MANY else 0
    run = np.empty((classes, width) if runs else (0, LANES), np.float32)
    peaks = np.empty((runs, classes), np.float32)
    heads = (cells, heat.reshape(-1), offset.reshape(-1))
    _rank(*heads, best, logits, seconds, thirds, shares, values, run, peaks, largest)
    there_are = size[0] * size[1]
    logits, seconds, thirds, shares = (
        each[:there_are].reshape(size) for each in (logits, seconds, thirds, shares)
    )
    margin = largest.max() * _ROUNDING
    return Ranking(best[:there_are].reshape(size), logits, seconds, thirds, shares, peaks, margin)


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
    run: Floats,
    peaks: Floats,
    largest: Floats,
) -> None:
    """Fill in the ranking.

    Args:
        semantic: (C, n), n at least LANES; the ranking is (n,).
        heat, offset: flat.
        values: (C, LANES) scratch.
        run: (C, m) scratch, the cells that are fetched at a time; (0, LANES) where they are ranked in place.
        peaks: (R, C), written where cells are fetched: so many at once that a plane is not sought anew for every few.
        largest: (LANES,), zeros at first; then their maximum is that of the best logits without their signs, or NaN.
    """
    for start in range(0, best.size, run.shape[1]):
        first = min(start, best.size - run.shape[1])  # the last ones may be ranked twice
        planes, ahead = semantic, first
        if run.size > 0:
            for number in range(run.shape[0]):
                fetch(semantic, number, first, run, peaks, start // run.shape[1])
            planes, ahead = run, 0
        for step in range(0, run.shape[1], LANES):
            place = min(step, run.shape[1] - LANES)
            rank_cells(
                planes, ahead + place, values, first + place, best, logits, seconds, thirds, shares, largest
            )
    if count_unsound(heat) + count_unsound(offset) > 0:
        largest[0] = np.float32(np.nan)
