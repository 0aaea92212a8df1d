"""Peaks of the heat map, found where the heat is."""

from typing import NamedTuple

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.arithmetic import larger
from service.pipeline.kernels.axis import Axis, Numbers
from service.pipeline.kernels.compiler import entry, inner
from service.pipeline.kernels.enlarge import enlarge
from service.pipeline.kernels.squares import SIDE, Squares
from service.pipeline.kernels.vectors import mix_square

_COLD = -1
_SHARE = 8  # one block of so many may be hot at first
_ROOM = 4096  # peaks that fit at first
_ONE = np.float32(1)
_ROUNDING = np.float32(1 - 2.0**-17)
_LEAST = np.float32(-np.inf)


class _Hot(NamedTuple):
    """The blocks with any heat above the limit, and room for B of them; a photograph has few."""

    numbers: Numbers  # (block rows, block columns) the number of each block, _COLD where it is none of them
    places: Numbers  # (B, 2) row and column among the blocks
    tops: Floats  # (B,) the hottest pixel
    pixels: Floats  # (B, rows, columns) each block's heat from its top left


def find_peaks(
    heat: Floats, rows: Axis, columns: Axis, squares: Squares, threshold: float, reach: int
) -> tuple[Numbers, Numbers, Floats]:
    """Find the pixels that are above `threshold`, above 0, and no less than any pixel of their window.

    Args:
        heat: (h, w).
        squares: of the rows and columns.
        reach: pixels from a window's middle to its border.
    Returns: (K,) y, x and heat, in no order.
    """
    limit = np.float32(max(threshold, 0))
    numbers = np.empty((rows.first.size, columns.first.size), np.int32)
    hottest, scratch = (
        np.empty(heat.shape[1], np.float32),
        np.empty((rows.scratch, columns.scratch), np.float32),
    )
    blocks, room = numbers.size // _SHARE + 1, _ROOM
    while True:
        hot = _Hot(
            numbers,
            np.empty((blocks, 2), np.int32),
            np.empty(blocks, np.float32),
            np.empty((blocks, rows.longest, columns.longest), np.float32),
        )
        places, values = np.empty((2, room), np.int32), np.empty(room, np.float32)
        found, count = _find(
            heat[None], rows, columns, squares, reach, limit, hot, hottest, scratch, places, values
        )
        if found <= blocks and count <= room:
            return places[0, :count], places[1, :count], values[:count]
        blocks, room = max(blocks, found), max(room, count)


@entry
def _find(
    planes: Floats,
    rows: Axis,
    columns: Axis,
    squares: Squares,
    reach: int,
    limit: np.float32,
    hot: _Hot,
    hottest: Floats,
    scratch: Floats,
    places: Numbers,
    values: Floats,
) -> tuple[int, int]:
    """Write y, x and heat of the peaks; returns how many hot blocks there are, and how many peaks.

    Where the blocks have no room nothing is written, and of the peaks as many as have room.

    Args:
        planes: (1, h, w), the heat.
        hottest: (w,) scratch.
        scratch: of `enlarge`.
    """
    found = _list(planes[0], rows, columns, limit, hot, hottest)
    if found > hot.tops.size:
        return found, 0
    _heat(planes, rows, columns, squares, hot, found, scratch)
    return found, _collect(hot, found, rows, columns, reach, limit, places, values)


@inner
def _list(heat: Floats, rows: Axis, columns: Axis, limit: np.float32, hot: _Hot, hottest: Floats) -> int:
    """Number the blocks of which any cell may be above the limit, and list their places; returns how many there are."""
    count = 0
    for r in range(rows.first.size):
        row = hot.numbers[r]
        for q in range(row.size):
            row[q] = _COLD
        top = _hottest(heat, rows.first[r], rows.last[r], hottest)
        if not top > limit * _ROUNDING:
            continue  # most rows of most photographs
        for q in range(columns.first.size):
            if _highest(hottest, columns.first[q], columns.last[q]) > limit * _ROUNDING:
                row[q] = count
                if count < hot.tops.size:
                    hot.places[count, 0], hot.places[count, 1] = r, q
                count += 1
    return count


@inner
def _hottest(heat: Floats, first: int, last: int, hottest: Floats) -> np.float32:
    """Write each column's hottest cell of some rows; returns the hottest of all."""
    top = _LEAST
    for x in range(hottest.size):
        hottest[x] = heat[first, x]
    for y in range(first + 1, last + 1):
        values = heat[y]
        for x in range(hottest.size):
            hottest[x] = larger(hottest[x], values[x])
    for x in range(hottest.size):
        top = max(top, hottest[x])
    return top


@inner
def _heat(
    planes: Floats, rows: Axis, columns: Axis, squares: Squares, hot: _Hot, found: int, scratch: Floats
) -> None:
    """Write pixels and hottest pixel of the blocks that have a number."""
    across, down = (squares.across_rest, squares.across_weight), (squares.down_rest, squares.down_weight)
    fitting = rows.longest == SIDE and columns.longest == SIDE
    for number in range(found):
        r, q = hot.places[number, 0], hot.places[number, 1]
        block = hot.pixels[number]
        if fitting and squares.tall[r] and squares.wide[q]:
            i, j = np.uint64(rows.first[r]), np.uint64(columns.first[q])
            mix_square(planes, 0, i, j, _ONE, across, q, down, r, block)
        else:
            enlarge(planes[0], rows, columns, r, q, _ONE, scratch, block)
        top = block[0, 0]
        for y in range(rows.start[r + 1] - rows.start[r]):
            for x in range(columns.start[q + 1] - columns.start[q]):
                top = max(top, block[y, x])
        hot.tops[number] = top


@inner
def _collect(
    hot: _Hot,
    found: int,
    rows: Axis,
    columns: Axis,
    reach: int,
    limit: np.float32,
    places: Numbers,
    values: Floats,
) -> int:
    """Write y, x and heat of the peaks as far as there is room; returns how many there are."""
    count = 0
    whole = reach + 1 >= max(rows.longest, columns.longest)  # whether windows hold their pixels' blocks
    for number in range(found):
        if not hot.tops[number] > limit:
            continue
        least = hot.tops[number] if whole else _LEAST
        y0, x0 = rows.start[hot.places[number, 0]], columns.start[hot.places[number, 1]]
        for y in range(y0, rows.start[hot.places[number, 0] + 1]):
            for x in range(x0, columns.start[hot.places[number, 1] + 1]):
                value = hot.pixels[number, y - y0, x - x0]
                if not value > limit or value < least:
                    continue
                if not _is_peak(hot, rows, columns, number, y, x, value, reach):
                    continue
                if count < values.size:
                    places[0, count], places[1, count], values[count] = y, x, value
                count += 1
    return count


@inner
def _highest(values: Floats, first: int, last: int) -> np.float32:
    found = values[first]
    for place in range(first + 1, last + 1):
        found = max(found, values[place])
    return found


@inner
def _is_peak(
    hot: _Hot, rows: Axis, columns: Axis, number: int, y: int, x: int, value: np.float32, reach: int
) -> bool:
    """Whether nothing in the window is hotter; blocks whose hottest pixel isn't are passed over whole."""
    top, bottom = max(0, y - reach), min(rows.places.size, y + reach + 1)
    left, right = max(0, x - reach), min(columns.places.size, x + reach + 1)
    if hot.tops[number] > value and _hotter(hot, rows, columns, number, top, bottom, left, right, value):
        return False  # most pixels end here, at their own block
    for r in range(rows.run[top], rows.run[bottom - 1] + 1):
        for q in range(columns.run[left], columns.run[right - 1] + 1):
            other = hot.numbers[r, q]
            if other == _COLD or not hot.tops[other] > value:
                continue
            if _hotter(hot, rows, columns, other, top, bottom, left, right, value):
                return False
    return True


@inner
def _hotter(
    hot: _Hot,
    rows: Axis,
    columns: Axis,
    number: int,
    top: int,
    bottom: int,
    left: int,
    right: int,
    value: np.float32,
) -> bool:
    """Whether a block has a hotter pixel inside of a window."""
    r, q = hot.places[number, 0], hot.places[number, 1]
    y0, x0 = rows.start[r], columns.start[q]
    for y in range(max(top, y0), min(bottom, rows.start[r + 1])):
        for x in range(max(left, x0), min(right, columns.start[q + 1])):
            if hot.pixels[number, y - y0, x - x0] > value:
                return True
    return False
