"""Every cell's best classes: which leads, what the next ones have, and how probable the first is."""

from typing import NamedTuple

import numpy as np

from service.backends import Floats
from service.pipeline.kernels.arithmetic import exponential, larger
from service.pipeline.kernels.axis import Numbers
from service.pipeline.kernels.compiler import entry

_NONE = np.float32(-np.inf)
_ROUNDING = np.float32(
    2.0**-17
)  # more than all roundings of an interpolation, as a part of the largest value


class Ranking(NamedTuple):
    """What is known of every cell, (h, w) each."""

    best: Numbers  # the best class, the first of equal ones
    logits: Floats  # its logit
    seconds: Floats  # the second largest logit
    thirds: Floats  # the third largest
    shares: Floats  # probability of the best class
    margin: np.float32  # a lead that no rounding can turn


def rank(semantic: Floats) -> Ranking:
    """Rank the classes of every cell.

    Args:
        semantic: (C, h, w) logits.
    """
    size = semantic.shape[1:]
    best = np.zeros(size, np.int32)
    logits, seconds, thirds, shares = (np.empty(size, np.float32) for _ in range(4))
    largest = _rank(semantic, best, logits, seconds, thirds, shares, np.empty(size[1], np.float32))
    return Ranking(best, logits, seconds, thirds, shares, np.float32(largest) * _ROUNDING)


@entry
def _rank(
    semantic: Floats,
    best: Numbers,
    logits: Floats,
    seconds: Floats,
    thirds: Floats,
    shares: Floats,
    sums: Floats,
) -> np.float32:
    """Fill in the ranking; returns the largest of the best logits, without its sign.

    Args:
        sums: (w,) scratch.
    """
    classes, rows, columns = semantic.shape
    largest = np.float32(0)
    for y in range(rows):
        index, top, second, third = best[y], logits[y], seconds[y], thirds[y]
        for x in range(columns):
            top[x], second[x], third[x], sums[x] = semantic[0, y, x], _NONE, _NONE, np.float32(0)
        for number in range(1, classes):
            values = semantic[number, y]
            for x in range(columns):
                value, leader, runner = values[x], top[x], second[x]
                third[x] = larger(third[x], min(value, runner))
                second[x] = max(runner, min(value, leader))
                index[x] = np.int32(number) if value > leader else index[x]
                top[x] = max(value, leader)
        for number in range(classes):
            values = semantic[number, y]
            for x in range(columns):
                sums[x] += exponential(values[x] - top[x])
        for x in range(columns):
            shares[y, x] = np.float32(1) / sums[x]
            largest = max(largest, abs(top[x]))
    return largest
