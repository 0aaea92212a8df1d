"""Changes: where a line of a picture of codes differs from the one above, which is all that PNG's filter Up leaves.

A picture of flat areas has few of them. They stand for the filtered lines, of which most bytes are zeros: places are
those of the bytes, counted over a band of lines, each line's first byte being the filter's number.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.pipeline.kernels.axis import Numbers
from service.pipeline.kernels.bits import lowest
from service.pipeline.kernels.codes import Labels, Place
from service.pipeline.kernels.compiler import inner
from service.pipeline.kernels.vectors import LANES, differing

UP = 2
"""The number of PNG's filter that takes from every value the one above."""

FILTER = np.uint32(1 << 31 | UP)
"""The value of a line's first byte: a change of that byte alone."""

ADLER = 65521
"""The largest prime number below 2**16, by which zlib's checksum counts."""

Packed = NDArray[np.uint32]
"""Up to three bytes each, lowest first."""

_NONE, _BIT = np.uint32(0), np.uint32(1)
_TOPS, _RESTS = np.uint32(0x80808080), np.uint32(0x7F7F7F7F)
_BYTE, _EIGHT, _SIXTEEN = np.uint32(0xFF), np.uint32(8), np.uint32(16)


class Changes(NamedTuple):
    """Room for the changes of a band; ascending by place."""

    places: Numbers  # of the first byte of each
    values: Packed  # its bytes


def no_changes(pixels: int, lines: int) -> Changes:
    """Room for the most changes that so many pixels in so many lines may have."""
    return Changes(np.empty(pixels + lines, np.int32), np.empty(pixels + lines, np.uint32))


@inner
def find_changes(
    codes: Labels,
    first: int,
    last: int,
    colors: Packed,
    channels: int,
    changes: Changes,
    sums: NDArray[np.int64],
) -> int:
    """List the changes of lines `first` to `last`, without the last one; returns how many there are.

    Args:
        codes: (H, W).
        colors: (S,) of each code, the bytes above `channels` zero.
        sums: (2,) of all bytes up to `first`, and of all bytes each times the number of bytes from it to the
            picture's end; those of the band are added, modulo Adler's number.
    """
    rows, columns = codes.shape
    length = 1 + columns * channels
    count = 0
    plain, weighted = np.int64(0), np.int64(0)
    for y in range(first, last):
        begin, left = (y - first) * length, np.int64(rows - y) * length
        changes.places[count], changes.values[count] = begin, FILTER
        plain += UP
        weighted += UP * left
        start = count = count + 1
        here = codes[y]
        if y == 0:
            for x in range(columns):
                count = _add(changes, count, begin + 1 + x * channels, colors[here[x]])
        else:
            count = _compare(here, codes[y - 1], colors, channels, begin + 1, changes, count)
        for place in range(start, count):
            value, behind = changes.values[place], left - (changes.places[place] - begin)
            low, middle, high = value & _BYTE, value >> _EIGHT & _BYTE, value >> _SIXTEEN
            plain += np.int64(low) + np.int64(middle) + np.int64(high)
            weighted += (
                np.int64(low) * behind + np.int64(middle) * (behind - 1) + np.int64(high) * (behind - 2)
            )
    sums[0] = (sums[0] + plain) % ADLER
    sums[1] = (sums[1] + weighted) % ADLER
    return count


@inner
def _compare(
    here: Labels, above: Labels, colors: Packed, channels: int, begin: int, changes: Changes, count: int
) -> int:
    """Add the changes of a line; returns how many there are then."""
    whole = here.size // LANES * LANES
    x: Place
    for start in range(0, whole, LANES):
        places = differing(here, above, start)
        while places != _NONE:
            x = start + np.int64(lowest(places))
            places &= places - _BIT
            value = _minus(colors[here[x]], colors[above[x]])
            count = _add(changes, count, begin + x * channels, value)
    for x in range(whole, here.size):
        value = _minus(colors[here[x]], colors[above[x]])
        count = _add(changes, count, begin + x * channels, value)
    return count


@inner
def _add(changes: Changes, count: int, place: Place, value: np.uint32) -> int:
    """Add a change unless it is none; returns how many there are then."""
    changes.places[count], changes.values[count] = place, value
    return count + 1 if value != _NONE else count


@inner
def _minus(a: np.uint32, b: np.uint32) -> np.uint32:
    """The difference of each byte."""
    return ((a | _TOPS) - (b & _RESTS)) ^ ((a ^ ~b) & _TOPS)
