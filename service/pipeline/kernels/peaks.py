"""Peaks of the heat map, found where the heat is."""

from typing import NamedTuple

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.axis import Axis, Numbers
from service.pipeline.kernels.compiler import entry, inner
from service.pipeline.kernels.enlarge import enlarge

_COLD = -1
_ROOM = 4096  # peaks that fit at first
_ROUNDING = np.float32(1 - 2.0**-17)
_LEAST = np.float32(-np.inf)


class _Hot(NamedTuple):
    """The B blocks with any heat above the limit; a photograph has few of them."""

    numbers: Numbers  # (block rows, block columns) the number of each block, _COLD where it is none of them
    places: Numbers  # (B, 2) row and column among the blocks
    tops: Floats  # (B,) the hottest pixel
    pixels: Floats  # (B, rows, columns) each block's heat from its top left


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
    hot = _warm_up(heat, rows, columns, limit)
    room = _ROOM
    while True:
        places, values = np.empty((2, room), np.int32), np.empty(room, np.float32)
        count = _collect(hot, rows, columns, reach, limit, places, values)
        if count <= room:
            return places[0, :count], places[1, :count], values[:count]
        room = count


def _warm_up(heat: Floats, rows: Axis, columns: Axis, limit: np.float32) -> _Hot:
    """Enlarge the heat of all blocks with any above the limit."""
    numbers = np.empty((rows.first.size, columns.first.size), np.int32)
    places = np.empty((numbers.size, 2), np.int32)  # of which only as much as is written takes memory
    count = _find(heat, rows, columns, limit, numbers, places, np.empty(heat.shape[1], np.float32))
    side = (rows.longest, columns.longest)
    hot = _Hot(
        numbers,
        places[:count],
        np.empty(count, np.float32),
        np.empty((count, *side), np.float32),
    )
    scratch = np.empty((rows.scratch, columns.scratch), np.float32)
    _heat(heat, rows, columns, hot, scratch)
    return hot


@entry
def _find(
    heat: Floats,
    rows: Axis,
    columns: Axis,
    limit: np.float32,
    numbers: Numbers,
    places: Numbers,
    hottest: Floats,
) -> int:
    """Number the blocks of which any cell may be above the limit, and list their places; returns how many there are.

    Args:
        hottest: (w,) scratch.
    """
    count = 0
    for r in range(rows.first.size):
        row = numbers[r]
        for q in range(row.size):
            row[q] = _COLD
        top = _LEAST
        for x in range(hottest.size):
            hottest[x] = heat[rows.first[r], x]
        for y in range(rows.first[r] + 1, rows.last[r] + 1):
            values = heat[y]
            for x in range(hottest.size):
                hottest[x] = max(hottest[x], values[x])
        for x in range(hottest.size):
            top = max(top, hottest[x])
        if not top > limit * _ROUNDING:
            continue  # most rows of most photographs
        for q in range(columns.first.size):
            if _highest(hottest, columns.first[q], columns.last[q]) > limit * _ROUNDING:
                places[count, 0], places[count, 1] = r, q
                row[q] = count
                count += 1
    return count


@entry
def _heat(heat: Floats, rows: Axis, columns: Axis, hot: _Hot, scratch: Floats) -> None:
    """Write pixels and hottest pixel of the blocks that have a number."""
    for number in range(hot.tops.size):
        r, q = hot.places[number, 0], hot.places[number, 1]
        block = hot.pixels[number]
        enlarge(heat, rows, columns, r, q, np.float32(1), scratch, block)
        top = block[0, 0]
        for y in range(rows.start[r + 1] - rows.start[r]):
            for x in range(columns.start[q + 1] - columns.start[q]):
                top = max(top, block[y, x])
        hot.tops[number] = top


@entry
def _collect(
    hot: _Hot,
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
    for number in range(hot.tops.size):
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
