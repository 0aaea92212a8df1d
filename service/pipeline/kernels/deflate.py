"""Deflate: a picture of codes as the zlib stream that a PNG holds, made of the changes from line to line alone.

The filtered lines, of which almost all bytes are zeros, are never written out, packed or summed up byte by byte.
"""

import struct
import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.pipeline.kernels.axis import Numbers
from service.pipeline.kernels.bits import write_word
from service.pipeline.kernels.changes import Changes, Packed, find_changes, no_changes
from service.pipeline.kernels.codes import Labels
from service.pipeline.kernels.compiler import entry, inner
from service.pipeline.kernels.huffman import LONGEST_CODE, Code, Tree, make_code, no_code, no_tree
from service.pipeline.kernels.tokens import (
    COPY,
    DISTANCES,
    END,
    LITERALS,
    MOST,
    ZEROS,
    Tokens,
    distance_symbol,
    length_symbol,
    no_tokens,
    tell,
)

_HEADER = b"\x78\x01"  # zlib's: a window of 32 kB, packed quickly
_BAND = 1 << 18  # pixels that are told in one block of the stream
_MORE = 1 << 16  # bytes for which room is made beyond what is needed
_MOST_KEPT = 1 << 22  # bytes of a stream
_LENGTH_SYMBOLS = 19  # of the code that tells the codes' lengths
_LENGTH_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_LONGEST_LENGTH_CODE = 7
_ZEROS, _MANY_ZEROS = 17, 18  # symbols: 3 to 10 and 11 to 138 lengths of 0
_DYNAMIC = 2  # kind of a block that brings its codes
_SIXTEEN, _REST = np.uint32(16), np.uint32(0x7FFF)  # a copy's parts
_THREE, _SEVEN, _WHOLE = (
    np.uint64(3),
    np.uint64(7),
    np.uint64(0x38),
)  # bytes of a number of bits, and what is left


class _Codes(NamedTuple):
    """The codes of a block."""

    literals: Code
    distances: Code
    lengths: Code  # tells the lengths of the other two


class _Head(NamedTuple):
    """What stands before a block's tokens: some bits at a time, and how many they are; and scratch."""

    bits: Numbers
    counts: Numbers
    told: Numbers  # symbols that tell the codes' lengths, with what they tell further
    times: Numbers  # how often these occur
    order: Numbers


class _Block(NamedTuple):
    """Room for a block, and scratch."""

    changes: Changes
    tokens: Tokens
    codes: _Codes
    tree: Tree
    head: _Head


class _Kept(threading.local):
    """What a thread keeps; only as much as was ever written takes memory."""

    def __init__(self) -> None:
        self.block = _no_block(0, 0, 0)
        self.written = np.empty(0, np.uint8)


def deflate(codes: Labels, colors: NDArray[np.uint8]) -> bytes:
    """Pack a picture of codes, filtered by PNG's Up.

    Args:
        codes: (H, W).
        colors: (S, C) values of each code, C up to 3.
    """
    rows, columns = codes.shape
    channels = colors.shape[1]
    packed = np.zeros((len(colors), 4), np.uint8)
    packed[:, :channels] = colors
    values = packed.view("<u4")[:, 0].astype(np.uint32)
    band = max(1, min(rows, _BAND // columns))
    sums = np.array([1, rows * (1 + columns * channels)], np.int64)
    state = np.zeros(3, np.uint64)
    _make_room(band, columns, channels)
    first, needed = _pack(codes, 0, band, values, channels, sums, _kept.block, _kept.written, state)
    while first < rows:
        there = _kept.written[: int(state[2])]
        _kept.written = np.concatenate([there, np.empty(max(needed + _MORE, there.size), np.uint8)])
        first, needed = _pack(codes, first, band, values, channels, sums, _kept.block, _kept.written, state)
    held = bytes([int(state[0])]) if state[1] else b""
    content = _kept.written[: int(state[2])].data
    if content.nbytes > _MOST_KEPT:
        _kept.written = np.empty(0, np.uint8)
    return b"".join([_HEADER, content, held, struct.pack(">HH", *sums[::-1])])


def _make_room(lines: int, columns: int, channels: int) -> None:
    """Make room for bands of so many lines; it is the thread's, since the next picture mostly needs as much."""
    changes, size = lines * columns + lines, lines * (1 + columns * channels)
    block = _kept.block
    if block.changes.places.size < changes or block.tokens.before.size < size:
        _kept.block = _no_block(lines * columns, lines, size)


def _no_block(pixels: int, lines: int, size: int) -> _Block:
    codes = _Codes(no_code(LITERALS), no_code(DISTANCES), no_code(_LENGTH_SYMBOLS))
    return _Block(no_changes(pixels, lines), no_tokens(size), codes, no_tree(), _no_head())


def _no_head() -> _Head:
    size = LITERALS + DISTANCES
    bits, counts = np.empty((2, 4 + _LENGTH_SYMBOLS + 2 * size), np.int32)
    told, times = np.empty(size, np.int32), np.zeros(_LENGTH_SYMBOLS, np.int32)
    return _Head(bits, counts, told, times, np.array(_LENGTH_ORDER, np.int32))


_kept = _Kept()


@entry
def _pack(
    codes: Labels,
    first: int,
    band: int,
    values: Packed,
    channels: int,
    sums: NDArray[np.int64],
    block: _Block,
    written: NDArray[np.uint8],
    state: NDArray[np.uint64],
) -> tuple[int, int]:
    """Pack the lines from `first` on, a band in each block of the stream, as long as there is room.

    Args:
        values, sums: as `find_changes` takes them.
        state: (3,) bits that are no whole byte yet, their number, and the number of bytes that are written.

    Returns: the first line that found no room, and how many bytes it needs; past the last, and 0, where all did.
    """
    rows = codes.shape[0]
    while first < rows:
        last = min(first + band, rows)
        plain, weighted = sums[0], sums[1]
        there, count, bits = _tell(codes, first, last, values, channels, sums, block)
        needed = bits // 8 + 16
        if np.int64(state[2]) + needed > written.size:
            sums[0], sums[1] = plain, weighted
            return first, needed
        _write(block.tokens.listed, there, block.codes, block.head, count, written, state)
        first = last
    return first, 0


@inner
def _tell(
    codes: Labels,
    first: int,
    last: int,
    values: Packed,
    channels: int,
    sums: NDArray[np.int64],
    block: _Block,
) -> tuple[int, int, int]:
    """Tell the band of lines `first` to `last`, without the last one, and make its codes.

    Args:
        values, sums: as `find_changes` takes them.

    Returns: how many tokens there are, how many entries of the head, and how many bits they take, at most.
    """
    rows, columns = codes.shape
    tokens, made, head = block.tokens, block.codes, block.head
    for counts in (tokens.literals, tokens.distances, tokens.latest, head.times):
        for place in range(counts.size):
            counts[place] = 0
    changes = find_changes(codes, first, last, values, channels, block.changes, sums)
    there = tell(block.changes, changes, (last - first) * (1 + columns * channels), channels, tokens)
    tokens.literals[END] += 1
    make_code(tokens.literals, LONGEST_CODE, made.literals, block.tree)
    make_code(tokens.distances, LONGEST_CODE, made.distances, block.tree)
    lengths = _list_lengths(made, head)
    make_code(head.times, _LONGEST_LENGTH_CODE, made.lengths, block.tree)
    count = _write_head(made, head, lengths, last == rows)
    return there, count, _bits(tokens.literals, tokens.distances, made) + LONGEST_CODE * head.bits.size


@inner
def _bits(literals: Numbers, distances: Numbers, codes: _Codes) -> int:
    """Bits that tokens take, at most."""
    bits = 0
    for symbol in range(LITERALS):
        further = 5 + 13 if symbol > END else 0  # of a length and of a distance
        bits += np.int64(literals[symbol]) * (codes.literals.lengths[symbol] + further)
    for symbol in range(DISTANCES):
        bits += np.int64(distances[symbol]) * codes.distances.lengths[symbol]
    return bits


@inner
def _list_lengths(codes: _Codes, head: _Head) -> int:
    """List the symbols that tell both codes' lengths, with the number of zeros beside those of zeros."""
    count, zeros = 0, 0
    for place in range(LITERALS + DISTANCES + 1):
        length = 1
        if place < LITERALS:
            length = codes.literals.lengths[place]
        elif place < LITERALS + DISTANCES:
            length = codes.distances.lengths[place - LITERALS]
        if length == 0:
            zeros += 1
            continue
        while zeros > 0:
            some = min(zeros, 138)
            if some >= 3:
                head.told[count] = (_MANY_ZEROS if some > 10 else _ZEROS) | some << 5
            else:
                some, head.told[count] = 1, 0
            head.times[head.told[count] & 31] += 1
            zeros -= some
            count += 1
        if place < LITERALS + DISTANCES:
            head.told[count] = length
            head.times[length] += 1
            count += 1
    return count


@inner
def _write_head(codes: _Codes, head: _Head, there: int, last: bool) -> int:
    """Write a block's kind and its codes' lengths; returns how many entries of the head there are."""
    count = _put(head, 0, int(last) | _DYNAMIC << 1, 3)
    count = _put(head, count, (LITERALS - 257) | (DISTANCES - 1) << 5 | (_LENGTH_SYMBOLS - 4) << 10, 14)
    for place in range(_LENGTH_SYMBOLS):
        count = _put(head, count, codes.lengths.lengths[head.order[place]], 3)
    for place in range(there):
        symbol, further = head.told[place] & 31, head.told[place] >> 5
        count = _put(head, count, codes.lengths.bits[symbol], codes.lengths.lengths[symbol])
        if symbol == _ZEROS:
            count = _put(head, count, further - 3, 3)
        elif symbol == _MANY_ZEROS:
            count = _put(head, count, further - 11, 7)
    return count


@inner
def _put(head: _Head, place: int, bits: int, count: int) -> int:
    head.bits[place], head.counts[place] = bits, count
    return place + 1


@inner
def _write(
    listed: Packed,
    there: int,
    codes: _Codes,
    head: _Head,
    before: int,
    written: NDArray[np.uint8],
    state: NDArray[np.uint64],
) -> None:
    """Write the head, the tokens, and the block's end.

    Args:
        there: how many tokens there are.
        before: how many entries of the head.
        state: (3,) bits that are no whole byte yet, their number, and the number of bytes that are written.
    """
    literals = codes.literals
    held, count, at = state[0], state[1], np.int64(state[2])
    longest_bits, longest_count = _copy_bits(codes, MOST, np.uint32(0))
    for place in range(before + there + 1):
        repeated = np.int64(1)
        if place < before:
            bits, length = np.int64(head.bits[place]), np.int64(head.counts[place])
        elif place == before + there:
            bits, length = np.int64(literals.bits[END]), np.int64(literals.lengths[END])
        else:
            token = listed[place - before]
            if token < COPY:
                bits, length = np.int64(literals.bits[token]), np.int64(literals.lengths[token])
            elif token < ZEROS:
                bits, length = _copy_bits(codes, (token & ~COPY) >> _SIXTEEN, token & _REST)
            else:
                bits, length, repeated = longest_bits, longest_count, np.int64(token & ~ZEROS)
        for _ in range(repeated):
            held |= np.uint64(bits) << count
            count += np.uint64(length)
            write_word(written, at, held)
            at += np.int64(count >> _THREE)
            held >>= count & _WHOLE
            count &= _SEVEN
    state[0], state[1], state[2] = held, count, np.uint64(at)


@inner
def _copy_bits(codes: _Codes, length: int | np.uint32, rest: np.uint32) -> tuple[np.int64, np.int64]:
    """The bits that tell a copy, and how many they are."""
    symbol, more, further = length_symbol(length)
    bits, count = np.int64(codes.literals.bits[symbol]), np.int64(codes.literals.lengths[symbol])
    bits |= further << count
    count += more
    symbol, more, further = distance_symbol(rest)
    bits |= np.int64(codes.distances.bits[symbol]) << count
    count += codes.distances.lengths[symbol]
    bits |= further << count
    return bits, count + more
