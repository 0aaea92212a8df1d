"""Squares: blocks of four by four pixels between two by two cells.

Where heads have stride 4 and the photograph is not resized, almost all blocks are squares. Their sides are known when
the kernels are compiled, so that their 16 pixels go through the processor's vectors together.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.backends import Floats
from service.pipeline.kernels.arithmetic import mix
from service.pipeline.kernels.axis import Axis, Numbers
from service.pipeline.kernels.bits import lowest, ones
from service.pipeline.kernels.candidates import Candidates, list_candidates
from service.pipeline.kernels.classes import Ranking
from service.pipeline.kernels.codes import Codes, count_square
from service.pipeline.kernels.compiler import inner
from service.pipeline.kernels.nearest import nearest
from service.pipeline.kernels.votes import Votes, owner_of

SIDE = 4
_PLACES = SIDE * SIDE
_ALL = np.uint32((1 << _PLACES) - 1)
_NONE, _BIT = np.uint32(0), np.uint32(1)
_ONE = np.float32(1)


class Squares(NamedTuple):
    """Which runs are a square's side, and the weights of all 16 pixels of each, row after row."""

    tall: NDArray[np.bool_]  # (R,)
    wide: NDArray[np.bool_]  # (Q,)
    down_rest: Floats  # (R, 16)
    down_weight: Floats
    across_rest: Floats  # (Q, 16)
    across_weight: Floats


class Square(NamedTuple):
    """Scratch of one square, (16,) each but the last."""

    values: Floats
    best: Floats
    classes: Numbers
    codes: Numbers
    down: Floats
    across: Floats
    candidates: Candidates


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


def no_square(candidates: Candidates) -> Square:
    """Scratch to be written."""
    values, best, down, across = np.empty((4, _PLACES), np.float32)
    classes, codes = np.empty((2, _PLACES), np.int32)
    return Square(values, best, classes, codes, down, across, candidates)


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
    things = True
    owner = -1
    if label < 0:
        count = list_candidates(semantic, ranking, rows, columns, r, q, square.candidates)
        things = _classify(semantic, rows, columns, squares, r, q, square, count, isthing)
        if things and votes.centers.y.size > 0:
            owner = owner_of(votes, rows, columns, r, q)
    else:
        for place in range(_PLACES):
            square.classes[place] = label
    if not things or votes.centers.y.size == 0:
        for place in range(_PLACES):
            square.codes[place] = square.classes[place]
    else:
        _give_to_centers(rows, columns, squares, r, q, square, isthing, votes, owner)
    _write(found, rows.start[r], columns.start[q], square, isthing.size)


@inner
def _classify(
    semantic: Floats,
    rows: Axis,
    columns: Axis,
    squares: Squares,
    r: int,
    q: int,
    square: Square,
    count: int,
    isthing: NDArray[np.bool_],
) -> bool:
    """Write every pixel's class, of the candidates; returns whether one of them is a thing."""
    number = square.candidates.listed[0]
    things = isthing[number]
    _enlarge(semantic[number], rows, columns, squares, r, q, _ONE, square.best)
    for place in range(_PLACES):
        square.classes[place] = number
    for turn in range(1, count):
        number = square.candidates.listed[turn]
        things = things or isthing[number]
        _enlarge(semantic[number], rows, columns, squares, r, q, _ONE, square.values)
        for place in range(_PLACES):
            higher = square.values[place] > square.best[place]
            square.classes[place] = number if higher else square.classes[place]
            square.best[place] = square.values[place] if higher else square.best[place]
    return things


@inner
def _enlarge(
    plane: Floats,
    rows: Axis,
    columns: Axis,
    squares: Squares,
    r: int,
    q: int,
    scale: np.float32,
    values: Floats,
) -> None:
    """As `enlarge`, of a square."""
    i, j = rows.first[r], columns.first[q]
    a, b, c, d = plane[i, j], plane[i, j + 1], plane[i + 1, j], plane[i + 1, j + 1]
    across_rest, across_weight = squares.across_rest[q], squares.across_weight[q]
    down_rest, down_weight = squares.down_rest[r], squares.down_weight[r]
    for place in range(_PLACES):
        high = mix(a, b, across_rest[place], across_weight[place])
        low = mix(c, d, across_rest[place], across_weight[place])
        values[place] = mix(high, low, down_rest[place], down_weight[place]) * scale


@inner
def _give_to_centers(
    rows: Axis,
    columns: Axis,
    squares: Squares,
    r: int,
    q: int,
    square: Square,
    isthing: NDArray[np.bool_],
    votes: Votes,
    owner: int,
) -> None:
    """Write the codes of a square with things; `owner` is the center of all its pixels where it is known."""
    if owner < 0:
        _enlarge(votes.offset[0], rows, columns, squares, r, q, votes.scale, square.down)
        _enlarge(votes.offset[1], rows, columns, squares, r, q, votes.scale, square.across)
    y0, x0 = rows.start[r], columns.start[q]
    for place in range(_PLACES):
        number = square.classes[place]
        if isthing[number]:
            center = owner
            if center < 0:
                y = rows.places[y0 + place // SIDE] + square.down[place]
                x = columns.places[x0 + place % SIDE] + square.across[place]
                center = nearest(votes.centers, y, x)
            number = isthing.size + center
        square.codes[place] = number


@inner
def _write(found: Codes, y0: int, x0: int, square: Square, classes: int) -> None:
    """Write a square's codes and count them."""
    for y in range(SIDE):
        for x in range(SIDE):
            found.codes[y0 + y, x0 + x] = np.uint16(square.codes[y * SIDE + x])
    left = _ALL
    while left != _NONE:
        code = square.codes[lowest(left)]
        places = _where(square.codes, code)
        left = left & ~places
        count_square(found, y0, x0, places, code)
        if code >= classes:
            _count_votes(found.votes, square.classes, places, code - classes)


@inner
def _count_votes(votes: NDArray[np.int64], labels: Numbers, places: np.uint32, center: int) -> None:
    """Count the classes at the places that a center got."""
    while places != _NONE:
        label = labels[lowest(places)]
        alike = places & _where(labels, label)
        places = places & ~alike
        votes[center, label] += np.int64(ones(alike))


@inner
def _where(values: Numbers, value: int) -> np.uint32:
    """The places that hold a value, as bits."""
    wanted = np.int32(value)
    bits = _NONE
    for place in range(_PLACES):
        bits |= _BIT << np.uint32(place) if values[place] == wanted else _NONE
    return bits
