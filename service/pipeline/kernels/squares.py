"""Squares: blocks of four by four pixels between two by two cells.

Where heads have stride 4 and the photograph is not resized, almost all blocks are squares. Their 16 pixels go through
the processor's vectors together.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.backends import Floats
from service.pipeline.kernels.axis import Axis, Cells, Numbers
from service.pipeline.kernels.bits import lowest, ones
from service.pipeline.kernels.candidates import list_candidates
from service.pipeline.kernels.classes import Ranking
from service.pipeline.kernels.codes import Codes, count_square
from service.pipeline.kernels.compiler import inner
from service.pipeline.kernels.nearest import UNCLEAR, nearest
from service.pipeline.kernels.vectors import LANES, fill, lead, mix_square, where, write_square
from service.pipeline.kernels.votes import Votes, owner_of

SIDE = 4
_ALL = np.uint32((1 << LANES) - 1)
_NONE = np.uint32(0)
_CELLS = np.uint64(2)  # that a side lies between


class Squares(NamedTuple):
    """Which runs are a square's side, and the weights of all 16 pixels of each, row after row."""

    tall: NDArray[np.bool_]  # (R,)
    wide: NDArray[np.bool_]  # (Q,)
    down_rest: Floats  # (R, 16)
    down_weight: Floats
    across_rest: Floats  # (Q, 16)
    across_weight: Floats


class Square(NamedTuple):
    """Scratch of one square, (16,) each but the last two."""

    classes: Numbers
    codes: Numbers
    down: Floats
    across: Floats
    candidates: Numbers  # (C,)
    names: Numbers  # (C,) the code of each candidate


def lay_squares(rows: Axis, columns: Axis) -> Squares:
    """Find the runs that are sides of squares."""
    tall, down_rest, down_weight = _side(rows)
    wide, across_rest, across_weight = _side(columns)
    return Squares(
        tall,
        wide,
        np.repeat(down_rest, SIDE, axis=1),
        np.repeat(down_weight, SIDE, axis=1),
        np.tile(across_rest, (1, SIDE)),
        np.tile(across_weight, (1, SIDE)),
    )


def no_square(candidates: Numbers) -> Square:
    """Scratch to be written."""
    down, across = np.empty((2, LANES), np.float32)
    classes, codes = np.empty((2, LANES), np.int32)
    return Square(classes, codes, down, across, candidates, np.empty_like(candidates))


def _side(axis: Axis) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Whether each run is a square's side, and the weights of its pixels, (R, 4)."""
    fits = (np.diff(axis.start) == SIDE) & (axis.last == axis.first + 1) & (not axis.resized)
    places = np.minimum(axis.start[:-1, None] + np.arange(SIDE), axis.places.size - 1)
    taps = axis.to_input
    if axis.resized:
        places = np.zeros_like(places)  # not read
    return fits, taps.rest[places], taps.weight[places]


@inner
def merge_square(
    semantic: Floats,
    ranking: Ranking,
    rows: Axis,
    columns: Axis,
    squares: Squares,
    r: int,
    q: int,
    isthing: NDArray[np.bool_],
    votes: Votes,
    found: Codes,
    square: Square,
    label: int,
) -> None:
    """Fill in a square that no short-cut takes whole; `label` is its class where all pixels share one."""
    i, j = np.uint64(rows.first[r]), np.uint64(columns.first[q])
    cells = Cells(i, i + _CELLS, j, j + _CELLS)
    across, down = (squares.across_rest, squares.across_weight), (squares.down_rest, squares.down_weight)
    things, owner = True, UNCLEAR
    if label < 0:
        count = list_candidates(semantic, ranking, cells, square.candidates)
        things = _some_thing(square.candidates, count, isthing)
        if things and votes.centers.y.size > 0:
            owner = owner_of(votes, rows, columns, r, q, cells)
        _name(square, count, isthing, owner)
        lists = (square.candidates, square.names)
        lead(semantic, lists, count, i, j, across, q, down, r, square.classes, square.codes)
    else:
        fill(square.classes, label)
    if things and owner < 0 and votes.centers.y.size > 0:
        mix_square(votes.offset, 0, i, j, votes.scale, across, q, down, r, square.down)
        mix_square(votes.offset, 1, i, j, votes.scale, across, q, down, r, square.across)
        _give_to_centers(rows.places, columns.places, rows.start[r], columns.start[q], square, isthing, votes)
    _write(found, rows.start[r], columns.start[q], square, isthing.size)


@inner
def _some_thing(candidates: Numbers, count: int, isthing: NDArray[np.bool_]) -> bool:
    """Whether a candidate is a thing."""
    things = False
    for turn in range(count):
        things = things or isthing[candidates[turn]]
    return things


@inner
def _name(square: Square, count: int, isthing: NDArray[np.bool_], owner: int) -> None:
    """Give each candidate its code, which of things is the owner's, where there is one."""
    for turn in range(count):
        number = square.candidates[turn]
        square.names[turn] = isthing.size + owner if owner >= 0 and isthing[number] else number


@inner
def _give_to_centers(
    rows: Floats,
    columns: Floats,
    y0: int,
    x0: int,
    square: Square,
    isthing: NDArray[np.bool_],
    votes: Votes,
) -> None:
    """Give each pixel of a thing to the center that is nearest to its own vote.

    Args:
        rows, columns: places of the photograph's, of which the square has four each from `y0` and `x0` on.
    """
    for place in range(LANES):
        if isthing[square.classes[place]]:
            y = rows[y0 + place // SIDE] + square.down[place]
            x = columns[x0 + place % SIDE] + square.across[place]
            square.codes[place] = isthing.size + nearest(votes.centers, y, x)


@inner
def _write(found: Codes, y0: int, x0: int, square: Square, classes: int) -> None:
    """Write a square's codes and count them."""
    write_square(found.codes, y0, x0, square.codes)
    left = _ALL
    while left != _NONE:
        code = square.codes[lowest(left)]
        places = where(square.codes, code)
        left = left & ~places
        count_square(found, y0, x0, places, code)
        if code >= classes:
            _count_votes(found.votes, square.classes, places, code - classes)


@inner
def _count_votes(votes: NDArray[np.int64], labels: Numbers, places: np.uint32, center: int) -> None:
    """Count the classes at the places that a center got."""
    while places != _NONE:
        label = labels[lowest(places)]
        alike = places & where(labels, label)
        places = places & ~alike
        votes[center, label] += np.int64(ones(alike))
