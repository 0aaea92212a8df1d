"""Votes: which center the pixels of a block vote for, found from its cells alone where that is clear."""

from typing import NamedTuple

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.axis import Axis, Cells, Numbers
from service.pipeline.kernels.compiler import inner
from service.pipeline.kernels.nearest import UNCLEAR, Centers, clearly_nearest

_UNSEEN = -2


class Votes(NamedTuple):
    """Where pixels of things vote for, and the votes of whole cells that are known by now."""

    offset: Floats  # (2, h, w), (dy, dx)
    scale: np.float32  # what offsets are multiplied by at the network's input
    centers: Centers
    owners: Numbers  # (h, w) each cell's clearly nearest center, _UNSEEN before it is asked for


def lay_votes(offset: Floats, scale: float, centers: Centers) -> Votes:
    """Votes of which none is known yet."""
    return Votes(offset, np.float32(scale), centers, np.full(offset.shape[1:], _UNSEEN, np.int32))


@inner
def owner_of(votes: Votes, rows: Axis, columns: Axis, r: int, q: int, cells: Cells) -> int:
    """The center that is clearly nearest to the votes of all cells of a block, or UNCLEAR."""
    if not (rows.affine[r] and columns.affine[q]):
        return UNCLEAR
    shared = _UNSEEN
    for i in range(cells.top, cells.below):
        for j in range(cells.left, cells.beyond):
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
