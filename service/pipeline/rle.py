"""RLE: the masks of all segments as COCO writes them, from one pass over the map of ids.

A mask's counts are the lengths of its runs down the columns, by turns outside and inside, outside first. In the
compressed form every count from the fourth on is told by its difference from the last but one, and a number is told in
characters of 5 bits, lowest first, each with a bit that says whether another follows.

Source: maskApi.c of pycocotools, whose bytes these are.
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

_FIRST = ord("0")  # the character of 0
_MORE = 0x20

Integers = NDArray[np.int64]


def compressed_masks(ids: NDArray[np.int32], wanted: Sequence[int]) -> list[bytes]:
    """The compressed counts of the mask of each wanted id.

    Args:
        ids: (H, W).
        wanted: ids in ascending order; one that the map lacks has an empty mask.
    """
    starts, found = _runs(ids)
    ends = np.append(starts[1:], ids.size)
    numbers = np.searchsorted(wanted, found)
    taken = np.flatnonzero(np.append(wanted, -1)[numbers] == found)
    taken = taken[np.argsort(numbers[taken].astype(np.uint16), kind="stable")]
    counts, sizes = _counts(starts[taken], ends[taken], numbers[taken], len(wanted), ids.size)
    return _characters(_differences(counts, sizes), sizes)


def _runs(ids: NDArray[np.int32]) -> tuple[Integers, NDArray[np.int32]]:
    """Where the runs of equal ids begin down the columns, and their ids."""
    rows = len(ids)
    changes = np.empty(ids.shape, np.bool_)
    np.not_equal(ids[1:], ids[:-1], out=changes[1:])
    changes[0, 0] = True
    changes[0, 1:] = ids[0, 1:] != ids[-1, :-1]
    starts = np.flatnonzero(cv2.transpose(changes.view(np.uint8)).view(np.bool_))
    return starts, ids[starts % rows, starts // rows]


def _counts(
    starts: Integers, ends: Integers, numbers: Integers, masks: int, pixels: int
) -> tuple[Integers, Integers]:
    """Every mask's counts, one mask after the other, and how many each has.

    Args:
        starts: of the runs, in order of mask and place, as are their ends and the numbers of their masks.
        pixels: of the map.
    """
    runs = np.bincount(numbers, minlength=masks)
    last = np.cumsum(runs) - 1
    before = np.zeros_like(starts)
    before[1:] = ends[:-1]
    before[(last + 1 - runs)[runs > 0]] = 0
    rest = np.full(masks, pixels)
    rest[runs > 0] -= ends[last[runs > 0]]
    # Two counts a run, and one for what is left, which is dropped where it is nothing
    sizes = 2 * runs + 1
    counts = np.empty(sizes.sum(), np.int64)
    tails = np.cumsum(sizes) - 1
    places = 2 * np.arange(len(starts)) + numbers
    counts[places] = starts - before
    counts[places + 1] = ends - starts
    counts[tails] = rest
    kept = np.ones(len(counts), np.bool_)
    kept[tails] = rest > 0
    return counts[kept], sizes - (rest == 0)


def _differences(counts: Integers, sizes: Integers) -> Integers:
    """Counts, those from the fourth of a mask on less the last but one."""
    differences = counts.copy()
    differences[2:] -= counts[:-2]
    begins = np.cumsum(sizes) - sizes
    for place in range(3):
        first = begins[sizes > place] + place
        differences[first] = counts[first]
    return differences


def _characters(values: Integers, sizes: Integers) -> list[bytes]:
    """Each mask's values in characters of 5 bits."""
    lengths = _lengths(values)
    ends = np.cumsum(lengths)
    written = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    here, left, places = values, lengths, ends - lengths
    while len(here):
        written[places] = (here & 31) + _MORE * (left > 1) + _FIRST
        going_on = np.flatnonzero(left > 1)
        here, left, places = here[going_on] >> 5, left[going_on] - 1, places[going_on] + 1
    cuts = np.concatenate([[0], ends])[np.concatenate([[0], np.cumsum(sizes)])].tolist()
    text = written.tobytes()
    return [text[begin:end] for begin, end in pairwise(cuts)]


def _lengths(values: Integers) -> Integers:
    """How many characters each value takes: the fewest that hold it and its sign."""
    lengths = np.ones(len(values), np.int64)
    magnitudes = values ^ (values >> 63)  # -n becomes n - 1
    longer = np.flatnonzero(magnitudes >> 4)
    bits = 9
    while len(longer):
        lengths[longer] += 1
        longer = longer[magnitudes[longer] >> bits > 0]
        bits += 5
    return lengths
