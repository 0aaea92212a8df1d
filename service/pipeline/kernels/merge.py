"""Every pixel's code, and all counts beside it, in one pass over the blocks.

A code is a class, or the number of classes plus a center's number. Docs say why the short-cuts are exact:
docs/merging.md.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.backends import Floats
from service.pipeline.kernels.axis import Axis, Numbers
from service.pipeline.kernels.classes import Ranking
from service.pipeline.kernels.compiler import entry, inner
from service.pipeline.kernels.enlarge import enlarge
from service.pipeline.kernels.nearest import UNCLEAR, Centers, clearly_nearest, nearest

AREA, SUM_Y, SUM_X, FIRST_Y, FIRST_X, LAST_Y, LAST_X = range(7)
"""Columns of the counts."""

_MIXED = -1
_UNSEEN = -2
_ONE = np.float32(1)
_LEAST = np.float32(-np.inf)


class Codes(NamedTuple):
    """What the pass finds; S = C + K codes."""

    codes: Numbers  # (H, W)
    votes: NDArray[np.int64]  # (K, C) pixels of each class that each center got
    counts: NDArray[np.int64]  # (S, 7) area, sums of y and of x, first and last y and x


class _Votes(NamedTuple):
    """Where pixels of things vote for, and the votes of whole cells that are known by now."""

    offset: Floats  # (2, h, w), (dy, dx)
    scale: np.float32  # what offsets are multiplied by at the network's input
    centers: Centers
    owners: Numbers  # (h, w) each cell's clearly nearest center, _UNSEEN before it is asked for


class _Block(NamedTuple):
    """Scratch of one block."""

    scratch: Floats
    values: Floats
    best: Floats
    classes: Numbers
    down: Floats
    across: Floats
    candidates: Numbers
    highest: Floats


def merge(
    semantic: Floats,
    offset: Floats,
    ranking: Ranking,
    rows: Axis,
    columns: Axis,
    isthing: NDArray[np.bool_],
    centers: Centers,
    offset_scale: float,
) -> Codes:
    """Give every pixel its class, and every pixel of a thing its center.

    Args:
        semantic: (C, h, w) logits.
        offset: (2, h, w), (dy, dx).
        isthing: (C,).
        offset_scale: what offsets are multiplied by at the network's input.
    """
    classes, cells_down, cells_across = semantic.shape
    found = Codes(
        np.empty((rows.places.size, columns.places.size), np.int32),
        np.zeros((centers.y.size, classes), np.int64),
        np.zeros((classes + centers.y.size, 7), np.int64),
    )
    found.counts[:, FIRST_Y] = rows.places.size
    found.counts[:, FIRST_X] = columns.places.size
    owners = np.full((cells_down, cells_across), _UNSEEN, np.int32)
    votes = _Votes(offset, np.float32(offset_scale), centers, owners)
    agreed = np.empty(cells_across, np.int32)
    block = _block(rows, columns, classes)
    _merge(semantic, ranking, rows, columns, isthing, votes, found, agreed, block)
    return found


def _block(rows: Axis, columns: Axis, classes: int) -> _Block:
    side = (rows.longest, columns.longest)
    return _Block(
        np.empty((rows.scratch, columns.scratch), np.float32),
        np.empty(side, np.float32),
        np.empty(side, np.float32),
        np.empty(side, np.int32),
        np.empty(side, np.float32),
        np.empty(side, np.float32),
        np.empty(classes, np.int32),
        np.empty(classes, np.float32),
    )


@entry
def _merge(
    semantic: Floats,
    ranking: Ranking,
    rows: Axis,
    columns: Axis,
    isthing: NDArray[np.bool_],
    votes: _Votes,
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
                owner = _owner(votes, rows, columns, r, q)
                code = _MIXED
                if owner >= 0:
                    code = classes + owner
                    found.votes[owner, label] += height * (columns.start[q + 1] - x)
            if code != open_code:
                if open_code >= 0:
                    _lay(found, rows.start[r], rows.start[r + 1], open_x, x, open_code)
                open_code, open_x = code, x
            if code < 0:
                _merge_block(semantic, ranking, rows, columns, r, q, isthing, votes, found, block, label)
        if open_code >= 0:
            _lay(found, rows.start[r], rows.start[r + 1], open_x, columns.places.size, open_code)


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
    votes: _Votes,
    found: Codes,
    block: _Block,
    label: int,
) -> None:
    """Fill in a block that no short-cut takes whole; `label` is its class where all pixels share one."""
    owner = UNCLEAR
    if label < 0:
        count = _candidates(semantic, ranking.margin, rows, columns, r, q, block)
        things = _classify(semantic, rows, columns, r, q, block, count, isthing)
        if things and votes.centers.y.size > 0:
            owner = _owner(votes, rows, columns, r, q)
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
    best, leads = ranking.best[first], ranking.leads[first]
    for x in range(agreed.size):
        agreed[x] = best[x] if leads[x] > ranking.margin else np.int32(_MIXED)
    for y in range(first + 1, last + 1):
        best, leads = ranking.best[y], ranking.leads[y]
        for x in range(agreed.size):
            agreed[x] = agreed[x] if leads[x] > ranking.margin and best[x] == agreed[x] else np.int32(_MIXED)


@inner
def _owner(votes: _Votes, rows: Axis, columns: Axis, r: int, q: int) -> int:
    """The center that is clearly nearest to the votes of all cells of a block, or UNCLEAR."""
    if not (rows.affine[r] and columns.affine[q]):
        return UNCLEAR
    shared = _UNSEEN
    for i in range(rows.first[r], rows.last[r] + 1):
        for j in range(columns.first[q], columns.last[q] + 1):
            if votes.owners[i, j] == _UNSEEN:
                y = rows.cell_places[i] + votes.scale * votes.offset[0, i, j]
                x = columns.cell_places[j] + votes.scale * votes.offset[1, i, j]
                votes.owners[i, j] = clearly_nearest(votes.centers, y, x)
            owner = votes.owners[i, j]
            if shared == _UNSEEN:
                shared = owner
            if owner == UNCLEAR or owner != shared:
                return UNCLEAR
    return shared


@inner
def _candidates(
    semantic: Floats, margin: np.float32, rows: Axis, columns: Axis, r: int, q: int, block: _Block
) -> int:
    """List the classes that no other one surpasses at all cells of a block; returns how many there are."""
    floor = _LEAST
    for number in range(semantic.shape[0]):
        low = high = semantic[number, rows.first[r], columns.first[q]]
        for i in range(rows.first[r], rows.last[r] + 1):
            for j in range(columns.first[q], columns.last[q] + 1):
                value = semantic[number, i, j]
                low, high = min(low, value), max(high, value)
        floor = max(floor, low)
        block.highest[number] = high
    count = 0
    for number in range(semantic.shape[0]):
        if block.highest[number] >= floor - margin:
            block.candidates[count] = number
            count += 1
    if count == 0:  # no number is a number: any class will do, as long as it is one
        block.candidates[0] = 0
        count = 1
    return count


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
                    _lay(found, y, y + 1, open_x, x, open_code)
                open_code, open_x = code, x
        _lay(found, y, y + 1, open_x, x1, open_code)


@inner
def _lay(found: Codes, y0: int, y1: int, x0: int, x1: int, code: int) -> None:
    """Write and count a rectangle of one code."""
    value = np.int32(code)
    for y in range(y0, y1):
        for x in range(x0, x1):
            found.codes[y, x] = value
    height, width = y1 - y0, x1 - x0
    counts = found.counts[code]
    counts[AREA] += height * width
    counts[SUM_Y] += width * (height * (y0 + y1 - 1) // 2)
    counts[SUM_X] += height * (width * (x0 + x1 - 1) // 2)
    counts[FIRST_Y] = min(counts[FIRST_Y], y0)
    counts[FIRST_X] = min(counts[FIRST_X], x0)
    counts[LAST_Y] = max(counts[LAST_Y], y1 - 1)
    counts[LAST_X] = max(counts[LAST_X], x1 - 1)


@entry
def rename(codes: Numbers, ids: Numbers) -> None:
    """Turn every code into its id, in place.

    Args:
        codes: (H, W).
        ids: (S,).
    """
    for y in range(codes.shape[0]):
        row = codes[y]
        for x in range(row.size):
            row[x] = ids[row[x]]
