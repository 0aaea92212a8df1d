"""Whole maps at the photograph's size, a band of rows at a time, for what measures read beside the answer.

Plain numpy over the same places and weights as the kernels, which need no whole map.
"""

from collections.abc import Iterator

import numpy as np

from model.bundle import HeadsSpec
from model.fit import Sizes
from service.backends import Floats
from service.pipeline.kernels.axis import Axis, Taps, axes

_BAND_VALUES = 1 << 21  # values of all channels of a band: 8 MB


def enlarge(maps: Floats, sizes: Sizes, spec: HeadsSpec) -> Iterator[tuple[int, int, Floats]]:
    """Bring (C, h, w) to the photograph: (first row, row after the last, (C, rows, W)), from the top down."""
    rows, columns = axes((maps.shape[1], maps.shape[2]), sizes, spec, "output")
    height = max(1, _BAND_VALUES // (len(maps) * sizes.output[1]))
    for start in range(0, sizes.output[0], height):
        stop = min(start + height, sizes.output[0])
        yield start, stop, _band(maps, rows, columns, start, stop)


def _band(maps: Floats, rows: Axis, columns: Axis, start: int, stop: int) -> Floats:
    if not rows.resized:
        return _stretch(maps, _part(rows.to_input, start, stop), columns.to_input)
    taps = _part(rows.to_output, start, stop)
    first, last = int(taps.low[0]), int(taps.high[-1])
    fitted = _stretch(maps, _part(rows.to_input, first, last + 1), columns.to_input)
    return _stretch(fitted, taps._replace(low=taps.low - first, high=taps.high - first), columns.to_output)


def _stretch(maps: Floats, rows: Taps, columns: Taps) -> Floats:
    tall = maps[:, rows.low] * rows.rest[:, None] + maps[:, rows.high] * rows.weight[:, None]
    wide = tall[:, :, columns.low] * columns.rest + tall[:, :, columns.high] * columns.weight
    return np.asarray(wide, np.float32)


def _part(taps: Taps, start: int, stop: int) -> Taps:
    some = slice(start, stop)
    return Taps(taps.low[some], taps.high[some], taps.rest[some], taps.weight[some])
