"""Candidates: the classes that may lead at a pixel of a block, found from its cells."""

from typing import NamedTuple

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.axis import Axis, Numbers
from service.pipeline.kernels.classes import Ranking
from service.pipeline.kernels.compiler import inner

_LEAST = np.float32(-np.inf)


class Candidates(NamedTuple):
    """Scratch of one block, (C,) each."""

    listed: Numbers  # the candidates first, ascending
    highest: Floats  # each class's largest logit


@inner
def list_candidates(
    semantic: Floats,
    ranking: Ranking,
    rows: Axis,
    columns: Axis,
    r: int,
    q: int,
    candidates: Candidates,
) -> int:
    """List the classes that no other one surpasses at all cells of a block; returns how many there are."""
    count = _two_leaders(semantic, ranking, rows, columns, r, q, candidates)
    return count if count > 0 else _all_unsurpassed(semantic, ranking, rows, columns, r, q, candidates)


@inner
def _two_leaders(
    semantic: Floats, ranking: Ranking, rows: Axis, columns: Axis, r: int, q: int, candidates: Candidates
) -> int:
    """List the leaders of a block whose cells have two of them, where no third class comes near; else 0.

    That is so at most borders, and found without a look at the other classes: where both leaders are above a cell's
    third logit, that is the most that any other class has there.
    """
    first = second = ranking.best[rows.first[r], columns.first[q]]
    for i in range(rows.first[r], rows.last[r] + 1):
        for j in range(columns.first[q], columns.last[q] + 1):
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
    for i in range(rows.first[r], rows.last[r] + 1):
        for j in range(columns.first[q], columns.last[q] + 1):
            a, b, third = semantic[first, i, j], semantic[second, i, j], ranking.thirds[i, j]
            least_first, least_second = min(least_first, a), min(least_second, b)
            others = max(others, third if min(a, b) > third else ranking.seconds[i, j])
    if not others < max(least_first, least_second) - ranking.margin:
        return 0
    candidates.listed[0], candidates.listed[1] = min(first, second), max(first, second)
    return 2


@inner
def _all_unsurpassed(
    semantic: Floats,
    ranking: Ranking,
    rows: Axis,
    columns: Axis,
    r: int,
    q: int,
    candidates: Candidates,
) -> int:
    floor = _LEAST
    for number in range(semantic.shape[0]):
        low = high = semantic[number, rows.first[r], columns.first[q]]
        for i in range(rows.first[r], rows.last[r] + 1):
            for j in range(columns.first[q], columns.last[q] + 1):
                value = semantic[number, i, j]
                low, high = min(low, value), max(high, value)
        floor = max(floor, low)
        candidates.highest[number] = high
    count = 0
    for number in range(semantic.shape[0]):
        if candidates.highest[number] >= floor - ranking.margin:
            candidates.listed[count] = number
            count += 1
    if count == 0:  # no number is a number: any class will do, as long as it is one
        candidates.listed[0] = 0
        count = 1
    return count
