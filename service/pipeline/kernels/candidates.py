"""Candidates: the classes that may lead at a pixel of a block, found from its cells."""

from typing import NamedTuple

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.axis import Cells, Numbers
from service.pipeline.kernels.classes import Ranking
from service.pipeline.kernels.compiler import inner

_LEAST = np.float32(-np.inf)


class Candidates(NamedTuple):
    """Scratch of one block, (C,) each."""

    listed: Numbers  # the candidates first, ascending
    highest: Floats  # each class's largest logit


@inner
def list_candidates(semantic: Floats, ranking: Ranking, cells: Cells, candidates: Candidates) -> int:
    """List the classes that no other one surpasses at all cells of a block; returns how many there are."""
    count = _two_leaders(semantic, ranking, cells, candidates)
    return count if count > 0 else _all_unsurpassed(semantic, ranking.margin, cells, candidates)


@inner
def _two_leaders(semantic: Floats, ranking: Ranking, cells: Cells, candidates: Candidates) -> int:
    """List the leaders of a block whose cells have two of them, where no third class comes near; else 0.

    That is so at most borders, and found without a look at the other classes: where both leaders are above a cell's
    third logit, that is the most that any other class has there.
    """
    first = second = ranking.best[cells.top, cells.left]
    for i in range(cells.top, cells.below):
        for j in range(cells.left, cells.beyond):
            leader = ranking.best[i, j]
            if leader in (first, second):
                continue
            if first != second:
                return 0
            second = leader
    if first == second:
        return 0
    least_first = least_second = np.float32(np.inf)
    others = _LEAST
    a_plane, b_plane = semantic[np.uint64(first)], semantic[np.uint64(second)]
    for i in range(cells.top, cells.below):
        for j in range(cells.left, cells.beyond):
            a, b, third = a_plane[i, j], b_plane[i, j], ranking.thirds[i, j]
            least_first, least_second = min(least_first, a), min(least_second, b)
            others = max(others, third if min(a, b) > third else ranking.seconds[i, j])
    if not others < max(least_first, least_second) - ranking.margin:
        return 0
    candidates.listed[0], candidates.listed[1] = min(first, second), max(first, second)
    return 2


@inner
def _all_unsurpassed(semantic: Floats, margin: np.float32, cells: Cells, candidates: Candidates) -> int:
    floor = _LEAST
    for number in range(semantic.shape[0]):
        plane = semantic[number]
        low = high = plane[cells.top, cells.left]
        for i in range(cells.top, cells.below):
            for j in range(cells.left, cells.beyond):
                value = plane[i, j]
                low, high = min(low, value), max(high, value)
        floor = max(floor, low)
        candidates.highest[number] = high
    count = 0
    for number in range(semantic.shape[0]):
        if candidates.highest[number] >= floor - margin:
            candidates.listed[count] = number
            count += 1
    if count == 0:  # no number is a number: any class will do, as long as it is one
        candidates.listed[0] = 0
        count = 1
    return count
