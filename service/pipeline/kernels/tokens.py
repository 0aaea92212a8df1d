"""Tokens: a band's changes as deflate tells bytes, by themselves or as copies of what stands further ahead.

Between changes are zeros, and a change often has the value of an earlier one with the same zeros behind it.
"""

from typing import NamedTuple

import numpy as np

from service.pipeline.kernels.axis import Numbers
from service.pipeline.kernels.bits import highest
from service.pipeline.kernels.changes import FILTER, Changes, Packed
from service.pipeline.kernels.compiler import inner

LITERALS, DISTANCES = 286, 30  # symbols of deflate's two codes
END, FIRST_LENGTH, LONGEST = 256, 257, 285  # of the first: the block's end, the shortest and the longest copy
MOST = 258  # bytes of a copy

# A token's highest two bits tell its kind.
COPY = np.uint32(1 << 30)  # length << 16 | distance - 1
ZEROS = np.uint32(2 << 30)  # a number of longest copies of the byte before, which is zero

_FURTHEST = 32768
_WORTH = 4  # bytes that a copy has at least; 3 bytes cost no more by themselves
_TRIED = 3  # earlier changes of a value that are looked at; twice as many save 5 % of the bytes
_SLOTS = 4096
_KNUTH = np.uint64(2654435761)  # spreads values over the slots
_WORD, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(20)
_BYTE, _EIGHT = np.uint32(0xFF), np.uint32(8)
_SIXTEEN = np.uint32(16)
_ONE, _TWO = np.uint32(1), np.uint32(2)
_ZERO = np.int64(0)


class Tokens(NamedTuple):
    """Room for the tokens of a band, and how often their symbols occur."""

    listed: Packed
    literals: Numbers  # (286,)
    distances: Numbers  # (30,)
    latest: Numbers  # (slots,) scratch: the newest change of a value, plus one; 0 is none
    before: Numbers  # scratch: of each change the one before it in its slot, plus one


def no_tokens(size: int) -> Tokens:
    """Room for the most tokens that so many bytes may have."""
    return Tokens(
        np.empty(size + 1, np.uint32),
        np.zeros(LITERALS, np.int32),
        np.zeros(DISTANCES, np.int32),
        np.zeros(_SLOTS, np.int32),
        np.empty(size, np.int32),
    )


@inner
def tell(changes: Changes, count: int, size: int, channels: int, tokens: Tokens) -> int:
    """Tell a band of `size` bytes, the block's end left out; returns how many tokens there are."""
    told, at, change = 0, 0, 0
    before_is_zero = False
    while True:
        place = changes.places[change] if change < count else size
        if place > at:
            told = _tell_zeros(tokens, told, place - at, before_is_zero)
            at, before_is_zero = place, True
        if change == count:
            break
        length, skipped, earlier = _longest(changes, change, count, size, channels, tokens)
        if length >= _WORTH:
            told = _copy(tokens, told, length, place - changes.places[earlier])
            for other in range(change + 1, change + skipped):
                _remember(changes, other, tokens)
            change += skipped
            at += length
            last = changes.places[change - 1] + _width(changes.values[change - 1], channels)
            before_is_zero = at > last
        else:
            value, width = changes.values[change], _width(changes.values[change], channels)
            for _ in range(width):
                told = _literal(tokens, told, value & _BYTE)
                before_is_zero = value & _BYTE == 0
                value >>= _EIGHT
            change += 1
            at += width
    return told


@inner
def length_symbol(length: int | np.uint32) -> tuple[np.int64, np.int64, np.int64]:
    """A copy's symbol, how many further bits tell its length, and what they tell."""
    if length == MOST:
        return np.int64(LONGEST), _ZERO, _ZERO
    rest = np.uint32(length) - np.uint32(3)
    if rest < np.uint32(8):
        return FIRST_LENGTH + np.int64(rest), _ZERO, _ZERO
    bits = highest(rest) - _TWO
    symbol = 4 * np.int64(bits) + np.int64(rest >> bits)
    return FIRST_LENGTH + symbol, np.int64(bits), np.int64(rest & ((_ONE << bits) - _ONE))


@inner
def distance_symbol(rest: np.uint32) -> tuple[np.int64, np.int64, np.int64]:
    """The symbol of a distance less one, how many further bits tell it, and what they tell."""
    if rest < np.uint32(4):
        return np.int64(rest), _ZERO, _ZERO
    bits = highest(rest) - _ONE
    symbol = 2 * np.int64(bits) + np.int64(rest >> bits)
    return symbol, np.int64(bits), np.int64(rest & ((_ONE << bits) - _ONE))


@inner
def _tell_zeros(tokens: Tokens, told: int, zeros: int, before_is_zero: bool) -> int:
    """Tell some zeros by the zero before them, which is told itself where none is there."""
    if not before_is_zero:
        told = _literal(tokens, told, np.uint32(0))
        zeros -= 1
    whole, rest = zeros // MOST, zeros % MOST
    if whole > 0:
        tokens.listed[told] = ZEROS | np.uint32(whole)
        tokens.literals[LONGEST] += whole
        tokens.distances[0] += whole
        told += 1
    if rest >= 3:
        return _copy(tokens, told, rest, 1)
    for _ in range(rest):
        told = _literal(tokens, told, np.uint32(0))
    return told


@inner
def _literal(tokens: Tokens, told: int, byte: np.uint32) -> int:
    tokens.listed[told] = byte
    tokens.literals[byte] += 1
    return told + 1


@inner
def _copy(tokens: Tokens, told: int, length: int, distance: int) -> int:
    rest = np.uint32(distance - 1)
    tokens.listed[told] = COPY | np.uint32(length) << _SIXTEEN | rest
    tokens.literals[length_symbol(length)[0]] += 1
    tokens.distances[distance_symbol(rest)[0]] += 1
    return told + 1


@inner
def _longest(
    changes: Changes, change: int, count: int, size: int, channels: int, tokens: Tokens
) -> tuple[int, int, int]:
    """The longest copy from a change on, how many changes are in it, and the earlier one that it is of."""
    value, place = changes.values[change], changes.places[change]
    earlier = tokens.latest[_slot(value)] - 1
    length, skipped, found = 0, 0, 0
    for _ in range(_TRIED):
        if earlier < 0 or place - changes.places[earlier] > _FURTHEST:
            break
        alike, passed = _alike(changes, earlier, change, count, size, channels)
        if alike > length:
            length, skipped, found = alike, passed, earlier
            if length == MOST:
                break
        earlier = tokens.before[earlier] - 1
    _remember(changes, change, tokens)
    return length, skipped, found


@inner
def _remember(changes: Changes, change: int, tokens: Tokens) -> None:
    """Let a change be found by its value."""
    slot = _slot(changes.values[change])
    tokens.before[change] = tokens.latest[slot]
    tokens.latest[slot] = change + 1


@inner
def _slot(value: np.uint32) -> np.int64:
    return np.int64((np.uint64(value) * _KNUTH & _WORD) >> _SHIFT)


@inner
def _width(value: np.uint32, channels: int) -> int:
    return 1 if value == FILTER else channels


@inner
def _alike(changes: Changes, old: int, new: int, count: int, size: int, channels: int) -> tuple[int, int]:
    """How many bytes from two changes of one value are alike, at most, and how many changes of the newer are in them.

    It ends before a change, never within one.
    """
    length, passed = 0, 0
    while True:
        width = _width(changes.values[new], channels)
        if changes.values[old] != changes.values[new] or length + width > MOST:
            return length, passed
        length += width
        passed += 1
        end = changes.places[new + 1] if new + 1 < count else size
        zeros = end - changes.places[new] - width
        zeros_there = changes.places[old + 1] - changes.places[old] - width
        shared = min(zeros, zeros_there)
        length += shared
        if length >= MOST:
            return MOST, passed
        if zeros != zeros_there or new + 1 == count:
            return length, passed
        old += 1
        new += 1
