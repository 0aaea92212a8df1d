"""The probability of every segment's class over its pixels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.reading import middles
from service.backends import Floats
from service.pipeline.kernels.arithmetic import exponential
from service.pipeline.kernels.axis import Numbers
from service.pipeline.kernels.classes import Ranking
from service.pipeline.kernels.codes import FIRST_X, FIRST_Y, LAST_X, LAST_Y, Labels
from service.pipeline.kernels.compiler import entry, inner

NO_CLASS = -1

Index = int | np.uint64
"""A cell's row or column."""


class Reading(NamedTuple):
    """Where a photograph's pixels are read."""

    down: Numbers  # (H,) ascending, the nearest cell's row of each row
    across: Numbers  # (W,) the same of columns
    rows: Numbers  # the middle row of each row of cells
    columns: Numbers


def lay_reading(down: Numbers, across: Numbers) -> Reading:
    """Read one pixel a cell, that at the cell's middle; the arguments are as of `Reading`."""
    return Reading(down, across, middles(down), middles(across))


def score(
    semantic: Floats,
    ranking: Ranking,
    codes: Labels,
    counts: NDArray[np.int64],
    classes: Numbers,
    reading: Reading,
) -> NDArray[np.float64]:
    """Take the mean probability of every code's class over its pixels, each read at its nearest cell.

    Codes that lie between all middles are read whole.

    Args:
        semantic: (C, h, w) logits.
        codes: (H, W).
        counts: (S, 7) as `merge` returns them.
        classes: (S,) class of each code, NO_CLASS where it has no segment.
    Returns: (S,), 0 where a code has no segment.
    """
    sums, hits = np.zeros(classes.size, np.float64), np.zeros(classes.size, np.int64)
    _score(semantic, ranking, codes, counts, classes, reading, sums, hits)
    return np.asarray(sums / np.maximum(hits, 1))


@entry
def _score(
    semantic: Floats,
    ranking: Ranking,
    codes: Labels,
    counts: NDArray[np.int64],
    classes: Numbers,
    reading: Reading,
    sums: NDArray[np.float64],
    hits: NDArray[np.int64],
) -> None:
    """Add up the probabilities that are read at pixels of the middle rows and columns, and their numbers."""
    down, across = reading.down, reading.across
    for y in reading.rows:
        row = np.uint64(down[y])  # places without a sign, or each index would be looked at first
        for column in reading.columns:
            x = np.uint64(column)
            label = np.uint64(codes[y, x])
            if classes[label] != NO_CLASS:
                sums[label] += _probability(semantic, ranking, classes[label], row, np.uint64(across[x]))
                hits[label] += 1
    for code in range(classes.size):
        if classes[code] == NO_CLASS or hits[code] > 0:
            continue
        for y in range(counts[code, FIRST_Y], counts[code, LAST_Y] + 1):
            for place in range(counts[code, FIRST_X], counts[code, LAST_X] + 1):
                if codes[y, place] == code:
                    sums[code] += _probability(semantic, ranking, classes[code], down[y], across[place])
                    hits[code] += 1


@inner
def _probability(semantic: Floats, ranking: Ranking, number: int, y: Index, x: Index) -> np.float32:
    if number == ranking.best[y, x]:
        return ranking.shares[y, x]  # most pixels, without a look at the logits, which lie far apart
    return exponential(semantic[number, y, x] - ranking.logits[y, x]) * ranking.shares[y, x]
