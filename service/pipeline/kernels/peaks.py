"""Peaks of the heat map, found where the heat is."""

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.axis import Axis, Numbers
from service.pipeline.kernels.compiler import entry, inner
from service.pipeline.kernels.enlarge import enlarge

_COLD = np.float32(-1)
_ROOM = 4096  # peaks that fit at first
_ROUNDING = np.float32(1 - 2.0**-17)


def find_peaks(
    heat: Floats, rows: Axis, columns: Axis, threshold: float, reach: int
) -> tuple[Numbers, Numbers, Floats]:
    """Find the pixels that are above `threshold`, above 0, and no less than any pixel of their window.

    Args:
        heat: (h, w).
        reach: pixels from a window's middle to its border.
    Returns: (K,) y, x and heat, in no order.
    """
    limit = np.float32(max(threshold, 0))
    hot = np.empty((rows.places.size, columns.places.size), np.float32)
    tops = np.full((rows.first.size, columns.first.size), _COLD, np.float32)
    scratch = np.empty((rows.scratch, columns.scratch), np.float32)
    block = np.empty((rows.longest, columns.longest), np.float32)
    _heat(heat, rows, columns, limit, hot, tops, scratch, block)
    room = _ROOM
    while True:
        places, values = np.empty((2, room), np.int32), np.empty(room, np.float32)
        count = _collect(hot, tops, rows, columns, reach, places, values)
        if count <= room:
            return places[0, :count], places[1, :count], values[:count]
        room = count


@entry
def _heat(
    heat: Floats,
    rows: Axis,
    columns: Axis,
    limit: np.float32,
    hot: Floats,
    tops: Floats,
    scratch: Floats,
    block: Floats,
) -> None:
    """Write the heat of all blocks with any above the limit, and the hottest of each block.

    Args:
        hot: (H, W), written in those blocks only, -1 where it is not above the limit.
        tops: (block rows, block columns), -1 before.
    """
    for r in range(rows.first.size):
        for q in range(columns.first.size):
            cells = heat[rows.first[r] : rows.last[r] + 1, columns.first[q] : columns.last[q] + 1]
            if _any_above(cells, limit * _ROUNDING):
                enlarge(heat, rows, columns, r, q, np.float32(1), scratch, block)
                tops[r, q] = _keep_hot(block, rows, columns, r, q, limit, hot)


@entry
def _collect(
    hot: Floats, tops: Floats, rows: Axis, columns: Axis, reach: int, places: Numbers, values: Floats
) -> int:
    """Write y, x and heat of the peaks as far as there is room; returns how many there are."""
    count = 0
    for r in range(rows.first.size):
        for q in range(columns.first.size):
            if tops[r, q] <= 0:
                continue
            for y in range(rows.start[r], rows.start[r + 1]):
                for x in range(columns.start[q], columns.start[q + 1]):
                    if not _is_peak(hot, tops, rows, columns, y, x, reach):
                        continue
                    if count < values.size:
                        places[0, count], places[1, count], values[count] = y, x, hot[y, x]
                    count += 1
    return count


@inner
def _any_above(cells: Floats, limit: np.float32) -> bool:
    for i in range(cells.shape[0]):
        for j in range(cells.shape[1]):
            if cells[i, j] > limit:
                return True
    return False


@inner
def _keep_hot(
    block: Floats, rows: Axis, columns: Axis, r: int, q: int, limit: np.float32, hot: Floats
) -> np.float32:
    """Write a block's heat, -1 where it is not above the limit; returns the hottest."""
    top = _COLD
    y0, x0 = rows.start[r], columns.start[q]
    for y in range(y0, rows.start[r + 1]):
        for x in range(x0, columns.start[q + 1]):
            value = block[y - y0, x - x0]
            value = value if value > limit else _COLD
            hot[y, x] = value
            top = max(top, value)
    return top


@inner
def _is_peak(hot: Floats, tops: Floats, rows: Axis, columns: Axis, y: int, x: int, reach: int) -> bool:
    """Whether nothing in the window is hotter; blocks whose hottest pixel isn't are passed over whole."""
    value = hot[y, x]
    if value <= 0:
        return False
    top, bottom = max(0, y - reach), min(hot.shape[0], y + reach + 1)
    left, right = max(0, x - reach), min(hot.shape[1], x + reach + 1)
    r, q = rows.run[y], columns.run[x]
    if tops[r, q] > value and _hotter(hot, rows, columns, r, q, top, bottom, left, right, value):
        return False  # most pixels end here, at their own block
    for r in range(rows.run[top], rows.run[bottom - 1] + 1):
        for q in range(columns.run[left], columns.run[right - 1] + 1):
            if tops[r, q] > value and _hotter(hot, rows, columns, r, q, top, bottom, left, right, value):
                return False
    return True


@inner
def _hotter(
    hot: Floats,
    rows: Axis,
    columns: Axis,
    r: int,
    q: int,
    top: int,
    bottom: int,
    left: int,
    right: int,
    value: np.float32,
) -> bool:
    """Whether a block has a hotter pixel inside of a window."""
    for y in range(max(top, rows.start[r]), min(bottom, rows.start[r + 1])):
        for x in range(max(left, columns.start[q]), min(right, columns.start[q + 1])):
            if hot[y, x] > value:
                return True
    return False
