"""Huffman's codes: the shortest bits for symbols that occur so and so often, none longer than deflate allows."""

from typing import NamedTuple

import numpy as np

from service.pipeline.kernels.axis import Numbers
from service.pipeline.kernels.compiler import inner

LONGEST_CODE = 15

_SYMBOLS = 286  # at most


class Code(NamedTuple):
    """A code of S symbols."""

    lengths: Numbers  # (S,) bits of each, 0 where it does not occur
    bits: Numbers  # (S,) in the order in which they are written, the first one lowest


class Tree(NamedTuple):
    """Scratch of the making of a code."""

    order: Numbers  # symbols that occur, the rarest first
    weights: Numbers  # of leaves and then of nodes
    parents: Numbers
    depths: Numbers
    counts: Numbers  # codes of each length


def no_code(symbols: int) -> Code:
    """A code to be made."""
    return Code(np.zeros(symbols, np.int32), np.zeros(symbols, np.int32))


def no_tree() -> Tree:
    """Scratch to be written."""
    order, counts = np.empty((2, _SYMBOLS), np.int32)
    weights, parents, depths = np.empty((3, 2 * _SYMBOLS), np.int32)
    return Tree(order, weights, parents, depths, counts)


@inner
def make_code(times: Numbers, longest: int, code: Code, tree: Tree) -> None:
    """Make the code of symbols that occur so many times; it has two symbols at least, as readers expect.

    Args:
        longest: bits of a code word, at most.
    """
    used = _sort(times, tree.order)
    for symbol in range(2):
        if used < 2 and times[symbol] == 0:
            used = _put_first(tree.order, used, symbol)
    _measure(times, tree, used)
    _shorten(tree.counts, longest)
    for symbol in range(times.size):
        code.lengths[symbol] = code.bits[symbol] = 0
    place = 0
    for length in range(longest, 0, -1):  # the rarest get the longest
        for _ in range(tree.counts[length]):
            code.lengths[tree.order[place]] = length
            place += 1
    _number(code, tree.counts, longest)


@inner
def _sort(times: Numbers, order: Numbers) -> int:
    """List the symbols that occur, the rarest first; returns how many there are."""
    used = 0
    for symbol in range(times.size):
        if times[symbol] == 0:
            continue
        place = used
        while place > 0 and times[order[place - 1]] > times[symbol]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = symbol
        used += 1
    return used


@inner
def _put_first(order: Numbers, used: int, symbol: int) -> int:
    for place in range(used, 0, -1):
        order[place] = order[place - 1]
    order[0] = symbol
    return used + 1


@inner
def _measure(times: Numbers, tree: Tree, used: int) -> None:
    """Join the two lightest again and again, and count the leaves of each depth."""
    weights, parents, depths = tree.weights, tree.parents, tree.depths
    for place in range(used):
        weights[place] = times[tree.order[place]]
    leaf, node = 0, used  # the lightest that are not joined yet; nodes come in ascending order too
    for made in range(used, 2 * used - 1):
        weight = 0
        for _ in range(2):
            if leaf < used and (node >= made or weights[leaf] <= weights[node]):
                taken = leaf
                leaf += 1
            else:
                taken = node
                node += 1
            parents[taken] = made
            weight += weights[taken]
        weights[made] = weight
    for length in range(tree.counts.size):
        tree.counts[length] = 0
    root = 2 * used - 2
    depths[root] = 0
    for place in range(root - 1, -1, -1):
        depths[place] = depths[parents[place]] + 1
        if place < used:
            tree.counts[depths[place]] += 1


@inner
def _shorten(counts: Numbers, longest: int) -> None:
    """Let no code be longer than allowed: shorter ones make room by growing longer."""
    for length in range(longest + 1, counts.size):
        counts[longest] += counts[length]
        counts[length] = 0
    room = 0  # that is taken, in words of the longest length
    for length in range(1, longest + 1):
        room += counts[length] << (longest - length)
    while room > 1 << longest:
        counts[longest] -= 1
        length = longest - 1
        while counts[length] == 0:
            length -= 1
        counts[length] -= 1
        counts[length + 1] += 2
        room -= 1


@inner
def _number(code: Code, counts: Numbers, longest: int) -> None:
    """Number the words of each length in the order of their symbols, as deflate does."""
    first = 0
    for length in range(1, longest + 1):
        word = first
        for symbol in range(code.lengths.size):
            if code.lengths[symbol] == length:
                code.bits[symbol] = _reversed(word, length)
                word += 1
        first = (first + counts[length]) << 1


@inner
def _reversed(word: int, length: int) -> int:
    """The same bits, the last one first."""
    found = 0
    for _ in range(length):
        found = found << 1 | word & 1
        word >>= 1
    return found
