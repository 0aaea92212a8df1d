"""One direction of the way from cells to pixels: how far each pixel lies between which cells.

A map is brought from the network's cells to the fitted part of its input, and from there to the photograph. Pixels
that depend on the same cells lie side by side: such a run of rows and such a run of columns span a block.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.bundle import HeadsSpec, Size
from model.fit import Sizes
from service.backends import Floats
from service.pipeline.kernels.compiler import inner

Numbers = NDArray[np.int32]
Grid = Literal["input", "output"]

_AFFINE = 2.0**-18  # of the side: how far interpolated places may lie from the true ones


class Taps(NamedTuple):
    """Linear interpolation: `source[low] * rest + source[high] * weight`, rounded as in torch."""

    low: Numbers
    high: Numbers
    rest: Floats
    weight: Floats


class Cells(NamedTuple):
    """The cells that a block depends on; without a sign, or each index would be looked at first."""

    top: np.uint64
    below: np.uint64  # the row behind the last one
    left: np.uint64
    beyond: np.uint64  # the column behind the last one


class Axis(NamedTuple):
    """One direction; P pixels of the result in R runs, n cells."""

    to_input: Taps  # fitted pixels from cells
    to_output: Taps  # result's pixels from fitted ones
    resized: bool  # whether the second step is to be taken
    start: Numbers  # (R + 1,) first pixel of each run, and P
    first: Numbers  # (R,) the cells that a run's pixels depend on are first to last
    last: Numbers  # (R,)
    affine: NDArray[np.bool_]  # (R,) whether interpolation gives a run's pixels their own places
    run: Numbers  # (P,) the run of each pixel
    places: Floats  # (P,) pixels in the merging's coordinates
    cell_places: Floats  # (n,) cells in the merging's coordinates
    scratch: int  # fitted pixels that a run needs, at most
    longest: int  # pixels of a run, at most


@inner
def cells_of(rows: Axis, columns: Axis, r: int, q: int) -> Cells:
    """The cells of the block of row run `r` and column run `q`."""
    return Cells(
        np.uint64(rows.first[r]),
        np.uint64(rows.last[r] + 1),
        np.uint64(columns.first[q]),
        np.uint64(columns.last[q] + 1),
    )


def axes(cells: Size, sizes: Sizes, spec: HeadsSpec, grid: Grid) -> tuple[Axis, Axis]:
    """Rows and columns of the way that a photograph's heads go.

    Args:
        cells: rows and columns of the heads.
        grid: whose pixels the merging counts.
    """
    rows, columns = (
        axis(
            cells[side],
            (sizes.input[side], sizes.fitted[side], sizes.output[side]),
            stride=spec.stride,
            align_corners=spec.align_corners,
            resized=sizes.fitted != sizes.output,
            grid=grid,
        )
        for side in (0, 1)
    )
    return rows, columns


def axis(
    cells: int,
    sides: tuple[int, int, int],
    *,
    stride: int,
    align_corners: bool,
    resized: bool,
    grid: Grid,
) -> Axis:
    """Lay out one direction.

    Args:
        cells: of the heads.
        sides: of the network's input, of its fitted part, of the result.
        resized: whether any direction of fitted part and result differ; else the second step is left out.
        grid: whose pixels the merging counts.
    """
    size, fitted, output = sides
    to_input = _part(
        _corner_taps(cells, size) if align_corners else _half_pixel_taps(cells, cells * stride), fitted
    )
    to_output = _half_pixel_taps(fitted, output)
    low, high = _support(to_input)
    first, last = low[to_output.low], high[np.where(to_output.weight > 0, to_output.high, to_output.low)]
    start = np.flatnonzero(np.diff(first, prepend=-1) | np.diff(last, prepend=-1))
    length = np.diff(start, append=output)
    ends = start + length - 1
    cell_places = _cell_places(cells, size, stride, align_corners)
    if grid == "output":
        cell_places = (cell_places + 0.5) * (output / fitted) - 0.5
    places = _places(fitted, output, grid)
    near = np.abs(_bring(cell_places, to_input, to_output) - places) <= _AFFINE * max(fitted, output)
    return Axis(
        to_input=to_input,
        to_output=to_output,
        resized=resized,
        start=np.append(start, output).astype(np.int32),
        first=first[start],
        last=last[start],
        affine=np.logical_and.reduceat(near, start),
        run=np.repeat(np.arange(len(start), dtype=np.int32), length),
        places=places,
        cell_places=cell_places.astype(np.float32),
        scratch=int((to_output.high[ends] - to_output.low[start]).max()) + 1,
        longest=int(length.max()),
    )


def _half_pixel_taps(source: int, result: int) -> Taps:
    """A side of `source` pixels stretched to `result`: pixels are areas, borders meet borders."""
    scale = np.float64(np.float32(source / result))
    # Doubles hold the product whole, so that there is one rounding, as in torch's fused multiplication and addition.
    places = ((np.arange(result) + 0.5) * scale - 0.5).astype(np.float32)
    return _taps(np.maximum(places, np.float32(0)), source)


def _corner_taps(source: int, result: int) -> Taps:
    """A side of `source` pixels stretched to `result`: first and last pixels meet."""
    step = np.float32((source - 1) / (result - 1)) if result > 1 else np.float32(0)
    return _taps(np.arange(result, dtype=np.float32) * step, source)


def _taps(places: Floats, source: int) -> Taps:
    low = np.minimum(places.astype(np.int32), source - 1)
    high = np.minimum(low + 1, source - 1)
    weight = np.clip(places - low.astype(np.float32), np.float32(0), np.float32(1))
    return Taps(low, high, np.float32(1) - weight, weight)


def _part(taps: Taps, stop: int) -> Taps:
    return Taps(taps.low[:stop], taps.high[:stop], taps.rest[:stop], taps.weight[:stop])


def _support(taps: Taps) -> tuple[Numbers, Numbers]:
    """The first and the last source that a result depends on."""
    return taps.low, np.where(taps.weight > 0, taps.high, taps.low)


def _cell_places(cells: int, size: int, stride: int, align_corners: bool) -> NDArray[np.float64]:
    """Where cells lie on the network's input."""
    numbers = np.arange(cells, dtype=np.float64)
    if align_corners:
        return numbers * ((size - 1) / max(cells - 1, 1))
    return (numbers + 0.5) * stride - 0.5


def _places(fitted: int, output: int, grid: Grid) -> Floats:
    """Where the result's pixels lie in the merging's coordinates, rounded as in the reference."""
    pixels = np.arange(output, dtype=np.float32)
    if grid == "output":
        return pixels
    half = np.float32(0.5)
    return (pixels + half) * np.float32(fitted / output) - half


def _bring(values: NDArray[np.float64], *steps: Taps) -> NDArray[np.float64]:
    for taps in steps:
        values = values[taps.low] * taps.rest + values[taps.high] * taps.weight
    return values
