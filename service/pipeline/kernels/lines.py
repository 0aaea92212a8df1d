"""Lines of a PNG, filtered, straight from codes: no picture in colours is made on the way."""

import numpy as np
from numpy.typing import NDArray

from service.pipeline.kernels.codes import Labels
from service.pipeline.kernels.compiler import entry, inner

UP = 2
"""The number of PNG's filter that takes from every value the one above."""

_STEP = 16  # pixels that are compared with those above at once


def up_lines(codes: Labels, colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Filter a picture of codes.

    Args:
        codes: (H, W).
        colors: (S, C) values of each code.
    Returns: (H, 1 + W C), the filter's number and the filtered values of every line.
    """
    rows, columns = codes.shape
    lines = np.empty((rows, 1 + columns * colors.shape[1]), np.uint8)
    _filter(codes, colors, lines)
    return lines


@entry
def _filter(codes: Labels, colors: NDArray[np.uint8], lines: NDArray[np.uint8]) -> None:
    """Fill in the lines."""
    rows, columns = codes.shape
    channels = colors.shape[1]
    for x in range(columns):
        for channel in range(channels):
            lines[0, 1 + x * channels + channel] = colors[codes[0, x], channel]
    lines[0, 0] = UP
    for y in range(1, rows):
        here, above, line = codes[y], codes[y - 1], lines[y]
        for place in range(line.size):
            line[place] = 0
        line[0] = UP
        whole = columns // _STEP * _STEP
        for start in range(0, whole, _STEP):
            changed = np.uint16(0)
            for x in range(start, start + _STEP):
                changed |= here[x] ^ above[x]
            if changed != 0:
                _write(here, above, colors, line, start, start + _STEP)
        _write(here, above, colors, line, whole, columns)


@inner
def _write(
    here: Labels, above: Labels, colors: NDArray[np.uint8], line: NDArray[np.uint8], start: int, stop: int
) -> None:
    """Write the differences of some pixels where their codes differ."""
    channels = colors.shape[1]
    for x in range(start, stop):
        if here[x] != above[x]:
            for channel in range(channels):
                line[1 + x * channels + channel] = colors[here[x], channel] - colors[above[x], channel]
