"""The center nearest to a point, by a coarse grid of tiles that each know which centers come into question."""

from typing import NamedTuple

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.axis import Numbers
from service.pipeline.kernels.compiler import inner

_TILE = 32  # pixels of a tile's side
_AROUND = 2  # tiles beyond the map on each side, since votes may leave it
_LISTED = 64  # candidates that a tile holds at most; where there are more, all centers are tried
_DIAGONAL = _TILE * 2.0**0.5 + 0.01
_UNSEEN, _CROWDED = -1, -2

UNCLEAR = -1
"""No center is the nearest by a clear margin."""


class Centers(NamedTuple):
    """K centers in order, and the tiles over them; lists are made when a tile is first asked for."""

    y: Floats  # (K,)
    x: Floats  # (K,)
    lists: Numbers  # (tiles, 64) numbers of the centers that may be nearest to a point of the tile
    counts: Numbers  # (tiles,)
    squares: Floats  # (K,) scratch
    across: int  # tiles in a row
    height: int  # of the merging's grid, in pixels
    width: int
    margin: np.float32  # pixels: more than all roundings of places and distances


def lay_tiles(y: Floats, x: Floats, height: int, width: int) -> Centers:
    """Lay tiles over a map of `height` by `width` pixels and the ring around it."""
    down = (height + _TILE - 1) // _TILE + 2 * _AROUND
    across = (width + _TILE - 1) // _TILE + 2 * _AROUND
    lists = np.empty((down * across, _LISTED), np.int32)
    counts = np.full(down * across, _UNSEEN, np.int32)
    margin = np.float32(max(height, width)) * np.float32(2.0**-15)
    return Centers(y, x, lists, counts, np.empty(y.size, np.float32), across, height, width, margin)


@inner
def nearest(centers: Centers, y: np.float32, x: np.float32) -> int:
    """Find the center next to a point; the first in order wins a tie of float32 distances.

    Roots are taken as published, since two squares that differ may share one. A square that is no smaller has no
    smaller root, so that few are needed.
    """
    tile = _tile(centers, y, x)
    count = centers.y.size if tile < 0 else centers.counts[tile]
    best, square, root = 0, np.float32(np.inf), np.float32(np.inf)
    for place in range(count):
        number = place if tile < 0 else centers.lists[tile, place]
        down, across = centers.y[number] - y, centers.x[number] - x
        found = down * down + across * across
        if found < square:
            distance = np.sqrt(found)
            if distance < root:
                best, square, root = number, found, distance
    return best


@inner
def clearly_nearest(centers: Centers, y: np.float32, x: np.float32) -> int:
    """Find the center that is nearer than all others by more than the margin, or UNCLEAR."""
    if not (-centers.height <= y <= 2 * centers.height and -centers.width <= x <= 2 * centers.width):
        return UNCLEAR  # so far away that the margin may not cover the rounding
    tile = _tile(centers, y, x)
    count = centers.y.size if tile < 0 else centers.counts[tile]
    best, first, second = UNCLEAR, np.float32(np.inf), np.float32(np.inf)
    for place in range(count):
        number = place if tile < 0 else centers.lists[tile, place]
        down, across = centers.y[number] - y, centers.x[number] - x
        found = down * down + across * across
        if found < first:
            best, first, second = number, found, first
        elif found < second:
            second = found
    return best if np.sqrt(second) - np.sqrt(first) > centers.margin else UNCLEAR


@inner
def _tile(centers: Centers, y: np.float32, x: np.float32) -> int:
    """The tile of a point, its list made; negative where all centers are to be tried."""
    ring = _AROUND * _TILE
    if not (-ring <= y < centers.height + ring and -ring <= x < centers.width + ring):
        return _UNSEEN
    row, column = int(y + ring) // _TILE, int(x + ring) // _TILE
    tile = row * centers.across + column
    if centers.counts[tile] == _UNSEEN:
        middle_y = np.float32((row - _AROUND) * _TILE + _TILE // 2)
        middle_x = np.float32((column - _AROUND) * _TILE + _TILE // 2)
        _list(centers, tile, middle_y, middle_x)
    return _CROWDED if centers.counts[tile] == _CROWDED else tile


@inner
def _list(centers: Centers, tile: int, y: np.float32, x: np.float32) -> None:
    """List the centers that may be nearest to a point of a tile: a diagonal further than its middle's at most."""
    least = np.float32(np.inf)
    for number in range(centers.y.size):
        down, across = centers.y[number] - y, centers.x[number] - x
        centers.squares[number] = down * down + across * across
        least = min(least, centers.squares[number])
    limit = np.float32((np.sqrt(least) + _DIAGONAL + 2 * centers.margin) ** 2)
    count = 0
    for number in range(centers.y.size):
        if centers.squares[number] > limit:
            continue
        if count == _LISTED:
            centers.counts[tile] = _CROWDED
            return
        centers.lists[tile, count] = number
        count += 1
    centers.counts[tile] = count
