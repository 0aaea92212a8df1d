"""Codes: what the merging writes for every pixel, and what it counts of each code on the way.

A code is a class, or the number of classes plus a center's number.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.pipeline.kernels.bits import highest, lowest, ones
from service.pipeline.kernels.compiler import entry, inner

Labels = NDArray[np.uint16]
"""A code each."""

Place = int | np.int64
"""A row or a column."""

MAX_CODES = 1 << 16

AREA, SUM_Y, SUM_X, FIRST_Y, FIRST_X, LAST_Y, LAST_X = range(7)
"""Columns of the counts."""

# Places of a square of 4 x 4 pixels, as bits: row after row, lowest first.
_ROW_1, _ROW_2, _ROW_3 = (np.uint32(0xF << 4 * row) for row in (1, 2, 3))
_COLUMN_1, _COLUMN_2, _COLUMN_3 = (np.uint32(0x1111 << column) for column in (1, 2, 3))
_ONE_ROW = np.uint32(0xF)


class Codes(NamedTuple):
    """What the merging finds; S = C + K codes."""

    codes: Labels  # (H, W)
    votes: NDArray[np.int64]  # (K, C) pixels of each class that each center got
    counts: NDArray[np.int64]  # (S, 7) area, sums of y and of x, first and last y and x


def no_codes(rows: int, columns: int, classes: int, centers: int) -> Codes:
    """Codes that are still to be written, and nothing counted.

    Raises: ValueError: there are more classes and centers than codes.
    """
    if classes + centers > MAX_CODES:
        raise ValueError(f"{classes} classes and {centers} centers are more than {MAX_CODES} codes")
    found = Codes(
        np.empty((rows, columns), np.uint16),
        np.zeros((centers, classes), np.int64),
        np.zeros((classes + centers, 7), np.int64),
    )
    found.counts[:, FIRST_Y] = rows
    found.counts[:, FIRST_X] = columns
    return found


@inner
def lay(found: Codes, y0: int, y1: int, x0: int, x1: int, code: int) -> None:
    """Write and count a rectangle of one code."""
    value = np.uint16(code)
    for y in range(y0, y1):
        row = found.codes[y]
        for x in range(np.uint64(x0), np.uint64(x1)):  # signed places would be looked at one by one
            row[x] = value
    height, width = y1 - y0, x1 - x0
    counts = found.counts[code]
    counts[AREA] += height * width
    counts[SUM_Y] += width * (height * (y0 + y1 - 1) // 2)
    counts[SUM_X] += height * (width * (x0 + x1 - 1) // 2)
    _widen(found.counts, code, y0, y1 - 1, x0, x1 - 1)


@inner
def count_square(found: Codes, y0: int, x0: int, places: np.uint32, code: int) -> None:
    """Count a code at some places of a square of 4 x 4 pixels, at least one; nothing is written."""
    area = np.int64(ones(places))
    down = np.int64(ones(places & _ROW_1)) + 2 * np.int64(ones(places & _ROW_2))
    down += 3 * np.int64(ones(places & _ROW_3))
    across = np.int64(ones(places & _COLUMN_1)) + 2 * np.int64(ones(places & _COLUMN_2))
    across += 3 * np.int64(ones(places & _COLUMN_3))
    counts = found.counts[code]
    counts[AREA] += area
    counts[SUM_Y] += area * y0 + down
    counts[SUM_X] += area * x0 + across
    folded = places | places >> np.uint32(8)
    folded = (folded | folded >> np.uint32(4)) & _ONE_ROW
    _widen(
        found.counts,
        code,
        y0 + (np.int64(lowest(places)) >> 2),
        y0 + (np.int64(highest(places)) >> 2),
        x0 + np.int64(lowest(folded)),
        x0 + np.int64(highest(folded)),
    )


@inner
def _widen(
    counts: NDArray[np.int64], code: int, top: Place, bottom: Place, left: Place, right: Place
) -> None:
    """Let a code's box hold a rectangle."""
    row = counts[code]
    row[FIRST_Y] = min(row[FIRST_Y], top)
    row[FIRST_X] = min(row[FIRST_X], left)
    row[LAST_Y] = max(row[LAST_Y], bottom)
    row[LAST_X] = max(row[LAST_X], right)


@entry
def rename(codes: Labels, ids: NDArray[np.int32], renamed: NDArray[np.int32]) -> None:
    """Write every code's id.

    Args:
        codes: (H, W).
        ids: (S,).
        renamed: (H, W), written.
    """
    for y in range(codes.shape[0]):
        row, written = codes[y], renamed[y]
        for x in range(row.size):
            written[x] = ids[row[x]]
