"""Every pixel's code, and all counts beside it, in one pass over the blocks.

Docs say why the short-cuts are exact: docs/merging.md.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.backends import Floats
from service.pipeline.kernels.axis import Axis, Numbers, cells_of
from service.pipeline.kernels.candidates import list_candidates
from service.pipeline.kernels.classes import Ranking
from service.pipeline.kernels.codes import Codes, lay, no_codes
from service.pipeline.kernels.compiler import entry, inner
from service.pipeline.kernels.enlarge import enlarge
from service.pipeline.kernels.nearest import UNCLEAR, Centers, nearest
from service.pipeline.kernels.squares import Square, Squares, merge_square, no_square
from service.pipeline.kernels.votes import Votes, lay_votes, owner_of

_MIXED = -1
_ONE = np.float32(1)


class _Block(NamedTuple):
    """Scratch of one block."""

    scratch: Floats
    values: Floats
    best: Floats
    classes: Numbers
    down: Floats
    across: Floats
    candidates: Numbers  # (C,)
    square: Square


def merge(
    semantic: Floats,
    offset: Floats,
    ranking: Ranking,
    rows: Axis,
    columns: Axis,
    squares: Squares,
    isthing: NDArray[np.bool_],
    centers: Centers,
    offset_scale: float,
) -> Codes:
    """Give every pixel its class, and every pixel of a thing its center.

    Args:
        semantic: (C, h, w) logits.
        offset: (2, h, w), (dy, dx).
        squares: of the rows and columns.
        isthing: (C,).
        offset_scale: what offsets are multiplied by at the network's input.
    """
    classes, _, across = semantic.shape
    found = no_codes(rows.places.size, columns.places.size, classes, centers.y.size)
    votes = lay_votes(offset, offset_scale, centers)
    agreed = np.empty(across, np.int32)
    block = _block(rows, columns, classes)
    _merge(semantic, ranking, rows, columns, squares, isthing, votes, found, agreed, block)
    return found


def _block(rows: Axis, columns: Axis, classes: int) -> _Block:
    side = (rows.longest, columns.longest)
    candidates = np.empty(classes, np.int32)
    return _Block(
        np.empty((rows.scratch, columns.scratch), np.float32),
        np.empty(side, np.float32),
        np.empty(side, np.float32),
        np.empty(side, np.int32),
        np.empty(side, np.float32),
        np.empty(side, np.float32),
        candidates,
        no_square(candidates),
    )


@entry
def _merge(
    semantic: Floats,
    ranking: Ranking,
    rows: Axis,
    columns: Axis,
    squares: Squares,
    isthing: NDArray[np.bool_],
    votes: Votes,
    found: Codes,
    agreed: Numbers,
    block: _Block,
) -> None:
    """Fill in the codes.

    Args:
        agreed: (w,) scratch.
    """
    classes, crowd = isthing.size, votes.centers.y.size
    for r in range(rows.first.size):
        _agree(ranking, rows.first[r], rows.last[r], agreed)
        height = rows.start[r + 1] - rows.start[r]
        open_code, open_x = _MIXED, 0  # blocks of one code side by side are laid down together
        for q in range(columns.first.size):
            x = columns.start[q]
            label = code = _shared(agreed, columns.first[q], columns.last[q])
            if label >= 0 and isthing[label] and crowd > 0:
                owner = owner_of(votes, rows, columns, r, q, cells_of(rows, columns, r, q))
                code = _MIXED
                if owner >= 0:
                    code = classes + owner
                    found.votes[owner, label] += height * (columns.start[q + 1] - x)
            if code != open_code:
                if open_code >= 0:
                    lay(found, rows.start[r], rows.start[r + 1], open_x, x, open_code)
                open_code, open_x = code, x
            if code >= 0:
                continue
            if squares.tall[r] and squares.wide[q]:
                merge_square(
                    semantic,
                    ranking,
                    rows,
                    columns,
                    squares,
                    r,
                    q,
                    isthing,
                    votes,
                    found,
                    block.square,
                    label,
                )
            else:
                _merge_block(semantic, ranking, rows, columns, r, q, isthing, votes, found, block, label)
        if open_code >= 0:
            lay(found, rows.start[r], rows.start[r + 1], open_x, columns.places.size, open_code)


@inner
def _shared(values: Numbers, first: int, last: int) -> int:
    """The value of places first to last, or _MIXED."""
    for place in range(first + 1, last + 1):
        if values[place] != values[first]:
            return _MIXED
    return values[first]


@inner
def _merge_block(
    semantic: Floats,
    ranking: Ranking,
    rows: Axis,
    columns: Axis,
    r: int,
    q: int,
    isthing: NDArray[np.bool_],
    votes: Votes,
    found: Codes,
    block: _Block,
    label: int,
) -> None:
    """Fill in a block that no short-cut takes whole; `label` is its class where all pixels share one."""
    owner = UNCLEAR
    if label < 0:
        count = list_candidates(semantic, ranking, cells_of(rows, columns, r, q), block.candidates)
        things = _classify(semantic, rows, columns, r, q, block, count, isthing)
        if things and votes.centers.y.size > 0:
            owner = owner_of(votes, rows, columns, r, q, cells_of(rows, columns, r, q))
    else:
        things = True
        for y in range(block.classes.shape[0]):
            for x in range(block.classes.shape[1]):
                block.classes[y, x] = label
    if things and votes.centers.y.size > 0 and owner < 0:
        enlarge(votes.offset[0], rows, columns, r, q, votes.scale, block.scratch, block.down)
        enlarge(votes.offset[1], rows, columns, r, q, votes.scale, block.scratch, block.across)
    _code(found, rows, columns, r, q, block, isthing, votes.centers, owner)


@inner
def _agree(ranking: Ranking, first: int, last: int, agreed: Numbers) -> None:
    """Each column's class where rows first to last of its cells share it by a clear lead, or _MIXED."""
    for y in range(first, last + 1):
        best, logits, seconds = ranking.best[y], ranking.logits[y], ranking.seconds[y]
        for x in range(agreed.size):
            label = best[x] if logits[x] - seconds[x] > ranking.margin else np.int32(_MIXED)
            agreed[x] = label if y == first or label == agreed[x] else np.int32(_MIXED)


@inner
def _classify(
    semantic: Floats,
    rows: Axis,
    columns: Axis,
    r: int,
    q: int,
    block: _Block,
    count: int,
    isthing: NDArray[np.bool_],
) -> bool:
    """Write every pixel's class, of the candidates; returns whether one of them is a thing."""
    height, width = rows.start[r + 1] - rows.start[r], columns.start[q + 1] - columns.start[q]
    things = False
    for place in range(count):
        number = block.candidates[place]
        things = things or isthing[number]
        values = block.best if place == 0 else block.values
        enlarge(semantic[number], rows, columns, r, q, _ONE, block.scratch, values)
        for y in range(height):
            for x in range(width):
                if place == 0 or values[y, x] > block.best[y, x]:
                    block.best[y, x] = values[y, x]
                    block.classes[y, x] = number
    return things


@inner
def _code(
    found: Codes,
    rows: Axis,
    columns: Axis,
    r: int,
    q: int,
    block: _Block,
    isthing: NDArray[np.bool_],
    centers: Centers,
    owner: int,
) -> None:
    """Write a block's codes, pixel by pixel; `owner` is its center where all pixels share one."""
    classes = isthing.size
    y0, x0, x1 = rows.start[r], columns.start[q], columns.start[q + 1]
    for y in range(y0, rows.start[r + 1]):
        open_code, open_x = _MIXED, x0
        for x in range(x0, x1):
            label = block.classes[y - y0, x - x0]
            code = label
            if isthing[label] and centers.y.size > 0:
                center = owner
                if center < 0:
                    center = nearest(
                        centers,
                        rows.places[y] + block.down[y - y0, x - x0],
                        columns.places[x] + block.across[y - y0, x - x0],
                    )
                found.votes[center, label] += 1
                code = classes + center
            if code != open_code:
                if x > x0:
                    lay(found, y, y + 1, open_x, x, open_code)
                open_code, open_x = code, x
        lay(found, y, y + 1, open_x, x1, open_code)
