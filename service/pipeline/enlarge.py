"""Enlarging maps from network stride to the network's input and on to the photograph, a band of rows at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.bundle import HeadsSpec
from model.fit import Sizes
from service.backends import Floats

_BAND_VALUES = 1 << 21  # values of all channels of a band: 8 MB


@dataclass(frozen=True)
class Taps:
    """Linear interpolation along an axis: `source[low] * (1 - weight) + source[high] * weight`."""

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    weight: Floats

    def part(self, start: int, stop: int) -> "Taps":
        """The taps of a range of results."""
        return Taps(self.low[start:stop], self.high[start:stop], self.weight[start:stop])


@dataclass(frozen=True)
class Enlargement:
    """The way of one picture's maps: network stride, network input without its padding, photograph."""

    cells: tuple[int, int]  # rows and columns at network stride
    sizes: Sizes
    spec: HeadsSpec

    @property
    def offset_scale(self) -> int:
        """What offsets at network stride are multiplied by to count pixels of the network's input.

        With aligned corners it follows the rows alone, as its authors have it.
        """
        if not self.spec.align_corners:
            return self.spec.stride
        return (self.sizes.input[0] - 1) // max(self.cells[0] - 1, 1)

    def to_input(self, maps: Floats) -> Floats:
        """Bring (C, h, w) to the fitted part of the network's input."""
        return self._input_rows(maps, 0, self.sizes.fitted[0])

    def bands(self, maps: Floats) -> Iterator[tuple[int, int, Floats]]:
        """Bring (C, h, w) to the photograph: (first row, row after the last, (C, rows, W)), from the top down."""
        rows, columns = self.sizes.output
        height = max(1, _BAND_VALUES // (len(maps) * columns))
        for start in range(0, rows, height):
            stop = min(start + height, rows)
            yield start, stop, self._output_rows(maps, start, stop)

    def to_output(self, maps: Floats) -> Floats:
        """Bring (C, h, w) to the photograph at once."""
        return np.concatenate([band for _, _, band in self.bands(maps)], axis=1)

    def _output_rows(self, maps: Floats, start: int, stop: int) -> Floats:
        if self.sizes.fitted == self.sizes.output:
            return self._input_rows(maps, start, stop)
        taps = half_pixel_taps(self.sizes.fitted[0], self.sizes.output[0]).part(start, stop)
        first, last = int(taps.low[0]), int(taps.high[-1])
        source = self._input_rows(maps, first, last + 1)
        rows = _interpolate_rows(source, Taps(taps.low - first, taps.high - first, taps.weight))
        return _stretch_columns(rows, self.sizes.output[1])

    def _input_rows(self, maps: Floats, start: int, stop: int) -> Floats:
        columns = self.sizes.fitted[1]
        if self.spec.align_corners:
            taps = corner_taps(self.cells[0], self.sizes.input[0]).part(start, stop)
            across = corner_taps(self.cells[1], self.sizes.input[1]).part(0, columns)
            return _interpolate_columns(_interpolate_rows(maps, taps), across)
        stride = self.spec.stride
        taps = half_pixel_taps(self.cells[0], self.cells[0] * stride).part(start, stop)
        return _stretch_columns(_interpolate_rows(maps, taps), self.cells[1] * stride)[:, :, :columns]


def half_pixel_taps(source: int, result: int) -> Taps:
    """Taps of a side of `source` pixels stretched to `result`: pixels are areas, borders meet borders."""
    places = (np.arange(result, dtype=np.float32) + np.float32(0.5)) * np.float32(
        source / result
    ) - np.float32(0.5)
    return _taps(np.maximum(places, np.float32(0)), source)


def corner_taps(source: int, result: int) -> Taps:
    """Taps of a side of `source` pixels stretched to `result`: first and last pixels meet."""
    step = np.float32((source - 1) / (result - 1)) if result > 1 else np.float32(0)
    return _taps(np.arange(result, dtype=np.float32) * step, source)


def _taps(places: Floats, source: int) -> Taps:
    low = np.minimum(places.astype(np.intp), source - 1)
    high = np.minimum(low + 1, source - 1)
    return Taps(low, high, places - low.astype(np.float32))


def _interpolate_rows(maps: Floats, taps: Taps) -> Floats:
    weight = taps.weight[None, :, None]
    found = maps[:, taps.low] * (np.float32(1) - weight)
    found += maps[:, taps.high] * weight
    return found


def _interpolate_columns(maps: Floats, taps: Taps) -> Floats:
    return maps[:, :, taps.low] * (np.float32(1) - taps.weight) + maps[:, :, taps.high] * taps.weight


def _stretch_columns(maps: Floats, columns: int) -> Floats:
    """Half-pixel interpolation along the columns; OpenCV's is several times as fast as an indexed one."""
    channels, rows, width = maps.shape
    flat = np.ascontiguousarray(maps).reshape(channels * rows, width)
    stretched = cv2.resize(flat, (columns, channels * rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(stretched, np.float32).reshape(channels, rows, columns)
