"""Candidates: the classes that may lead at a pixel of a block, found from its cells."""

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.axis import Cells, Numbers
from service.pipeline.kernels.classes import RUN, Ranking
from service.pipeline.kernels.compiler import inner

_LEAST = np.float32(-np.inf)


@inner
def list_candidates(semantic: Floats, ranking: Ranking, cells: Cells, candidates: Numbers) -> int:
    """List the classes, ascending, that two of the leaders do not surpass at all cells of a block.

    Where these two are the only leaders, no other class has more than a cell's third logit as long as both are above
    it. At most borders that is less than the two have, and no other class is looked at.

    Args:
        candidates: (C,), written.
    Returns: how many there are.
    """
    first, second, more = _leaders(ranking, cells)
    a_plane, b_plane = semantic[np.uint64(first)], semantic[np.uint64(second)]
    least_first = least_second = np.float32(np.inf)
    others = _LEAST
    for i in range(cells.top, cells.below):
        for j in range(cells.left, cells.beyond):
            a, b, third = a_plane[i, j], b_plane[i, j], ranking.thirds[i, j]
            least_first, least_second = min(least_first, a), min(least_second, b)
            others = max(others, third if min(a, b) > third else ranking.seconds[i, j])
    least = max(least_first, least_second) - ranking.margin
    if more or first == second or not others < least:
        return _not_below(semantic, ranking, cells, least, candidates)
    candidates[0], candidates[1] = min(first, second), max(first, second)
    return 2


@inner
def _leaders(ranking: Ranking, cells: Cells) -> tuple[int, int, bool]:
    """The first two leaders among the cells, the same twice where there is one, and whether there are more."""
    first = second = ranking.best[cells.top, cells.left]
    more = False
    for i in range(cells.top, cells.below):
        for j in range(cells.left, cells.beyond):
            leader = ranking.best[i, j]
            if leader not in (first, second):
                more = more or first != second
                second = leader if first == second else second
    return first, second, more


@inner
def _not_below(
    semantic: Floats, ranking: Ranking, cells: Cells, least: np.float32, candidates: Numbers
) -> int:
    """List the classes that have as much as `least` at any cell."""
    count = 0
    for turn in range(_near(semantic, ranking, cells, least, candidates)):
        number = candidates[turn]
        plane = semantic[number]
        high = _LEAST
        for i in range(cells.top, cells.below):
            for j in range(cells.left, cells.beyond):
                high = max(high, plane[i, j])
        candidates[count] = number  # stays if the next one doesn't take its place
        count += 1 if high >= least else 0
    return count


@inner
def _near(semantic: Floats, ranking: Ranking, cells: Cells, least: np.float32, candidates: Numbers) -> int:
    """List the classes that have as much as `least` at any cell or near one, and may have less at all of them.

    The peaks of all classes lie side by side, their logits far apart: of many classes few are looked at there.
    """
    classes, _, width = semantic.shape
    top, bottom = cells.top * width, (cells.below - 1) * width
    if ranking.peaks.shape[0] == 0 or cells.below > cells.top + 2 or cells.beyond > cells.left + RUN:
        for number in range(classes):
            candidates[number] = number
        return classes
    a, b = ranking.peaks[(top + cells.left) // RUN], ranking.peaks[(top + cells.beyond - 1) // RUN]
    c, d = ranking.peaks[(bottom + cells.left) // RUN], ranking.peaks[(bottom + cells.beyond - 1) // RUN]
    count = 0
    for number in range(classes):
        candidates[count] = number
        near = (a[number] >= least) | (b[number] >= least) | (c[number] >= least) | (d[number] >= least)
        count += 1 if near else 0
    return count
