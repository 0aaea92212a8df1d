"""The probability of every segment's class over its pixels."""

import numpy as np
from numpy.typing import NDArray

from service.backends import Floats
from service.pipeline.kernels.arithmetic import exponential
from service.pipeline.kernels.axis import Numbers
from service.pipeline.kernels.classes import Ranking
from service.pipeline.kernels.compiler import entry, inner
from service.pipeline.kernels.merge import FIRST_X, FIRST_Y, LAST_X, LAST_Y

NO_CLASS = -1


def score(
    semantic: Floats,
    ranking: Ranking,
    codes: Numbers,
    counts: NDArray[np.int64],
    classes: Numbers,
    down: Numbers,
    across: Numbers,
) -> NDArray[np.float64]:
    """Take the mean probability of every code's class over its pixels, each read at its nearest cell.

    One pixel a cell is read, that at the cell's middle; codes that lie between all middles are read whole.

    Args:
        semantic: (C, h, w) logits.
        codes: (H, W).
        counts: (S, 7) as `merge` returns them.
        classes: (S,) class of each code, NO_CLASS where it has no segment.
        down: (H,) ascending, the nearest cell's row of each row.
        across: (W,) the same of columns.
    Returns: (S,), 0 where a code has no segment.
    """
    sums, hits = np.zeros(classes.size, np.float64), np.zeros(classes.size, np.int64)
    middles = (_middles(down), _middles(across))
    _score(semantic, ranking, codes, counts, classes, down, across, *middles, sums, hits)
    return np.asarray(sums / np.maximum(hits, 1))


def _middles(cells: Numbers) -> Numbers:
    """The middle of every run of equal numbers."""
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    return ((starts + np.append(starts[1:], cells.size)) // 2).astype(np.int32)


@entry
def _score(
    semantic: Floats,
    ranking: Ranking,
    codes: Numbers,
    counts: NDArray[np.int64],
    classes: Numbers,
    down: Numbers,
    across: Numbers,
    rows: Numbers,
    columns: Numbers,
    sums: NDArray[np.float64],
    hits: NDArray[np.int64],
) -> None:
    """Add up the probabilities that are read at pixels of the middle rows and columns, and their numbers."""
    for y in rows:
        for x in columns:
            code = codes[y, x]
            if classes[code] != NO_CLASS:
                sums[code] += _probability(semantic, ranking, classes[code], down[y], across[x])
                hits[code] += 1
    for code in range(classes.size):
        if classes[code] == NO_CLASS or hits[code] > 0:
            continue
        for y in range(counts[code, FIRST_Y], counts[code, LAST_Y] + 1):
            for x in range(counts[code, FIRST_X], counts[code, LAST_X] + 1):
                if codes[y, x] == code:
                    sums[code] += _probability(semantic, ranking, classes[code], down[y], across[x])
                    hits[code] += 1


@inner
def _probability(semantic: Floats, ranking: Ranking, number: int, y: int, x: int) -> np.float32:
    return exponential(semantic[number, y, x] - ranking.logits[y, x]) * ranking.shares[y, x]
