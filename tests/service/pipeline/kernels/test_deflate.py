"""Deflate: zlib unpacks what it packs, and finds the lines that PNG's filter leaves."""

import heapq
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.pipeline.kernels.axis import Numbers
from service.pipeline.kernels.codes import Labels
from service.pipeline.kernels.deflate import _kept, deflate
from service.pipeline.kernels.huffman import LONGEST_CODE, Code, make_code, no_code, no_tree

SIDES = st.integers(1, 70)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """No example waits for the compiler."""
    deflate(np.zeros((1, 1), np.uint16), np.zeros((1, 3), np.uint8))
    made([1, 1], LONGEST_CODE)


def filtered(codes: Labels, colors: NDArray[np.uint8]) -> bytes:
    """The reference: the picture of the colours, each line less the one above, behind the filter's number."""
    values = colors[codes].reshape(len(codes), -1)
    differences = np.diff(values, axis=0, prepend=np.zeros((1, values.shape[1]), np.uint8))
    return np.insert(differences, 0, 2, axis=1).tobytes()


@given(SIDES, SIDES, st.integers(1, 3), st.integers(1, 300), st.integers(1, 9), st.integers(0, 1 << 32))
def test_zlib_unpacks_the_filtered_lines(
    rows: int, columns: int, channels: int, number: int, zoom: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, number, (rows, columns)).astype(np.uint16)
    codes = np.ascontiguousarray(codes.repeat(zoom, axis=0).repeat(zoom, axis=1)[:rows, :columns])
    colors = rng.integers(0, int(rng.choice([1, 2, 256])), (number, channels)).astype(np.uint8)

    assert zlib.decompress(deflate(codes, colors)) == filtered(codes, colors)


@pytest.mark.parametrize("number", [2, 300])
def test_pictures_of_several_bands_are_packed_as_one_stream(number: int) -> None:
    rng = np.random.default_rng(number)
    codes = rng.integers(0, number, (700, 900)).astype(np.uint16)
    codes[300:500] = codes[299]
    colors = rng.integers(0, 256, (number, 3)).astype(np.uint8)

    assert zlib.decompress(deflate(codes, colors)) == filtered(codes, colors)


def test_room_that_one_large_stream_took_is_given_back() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 1 << 16, (1400, 1600)).astype(np.uint16)
    colors = rng.integers(0, 256, (1 << 16, 3)).astype(np.uint8)

    assert zlib.decompress(deflate(codes, colors)) == filtered(codes, colors)
    assert _kept.written.size == 0


def test_threads_that_pack_at_a_time_have_room_of_their_own() -> None:
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (9, 3)).astype(np.uint8)
    pictures = [
        rng.integers(0, 9, (side, 2 * side)).astype(np.uint16).repeat(4, axis=1) for side in range(20, 84)
    ]

    with ThreadPoolExecutor(8) as threads:
        packed = list(threads.map(lambda codes: deflate(codes, colors), pictures))

    assert [zlib.decompress(each) for each in packed] == [filtered(codes, colors) for codes in pictures]


def test_borders_of_a_drawn_map_take_no_more_bytes_than_by_zlib() -> None:
    y, x = np.mgrid[0:300, 0:500]
    codes = ((y // 40 + (x + y // 3) // 60) % 9 + 9 * (np.hypot(y - 150, x - 250) < 90)).astype(np.uint16)
    colors = np.random.default_rng(0).integers(0, 256, (18, 3)).astype(np.uint8)

    assert len(deflate(codes, colors)) <= len(zlib.compress(filtered(codes, colors), 1))


def test_lines_too_long_for_a_band_are_packed_too() -> None:
    codes = np.arange(300_000, dtype=np.uint32).reshape(1, -1).astype(np.uint16) % 7
    colors = np.arange(7, dtype=np.uint8)[:, None]

    assert zlib.decompress(deflate(codes, colors)) == filtered(codes, colors)


@given(st.lists(st.integers(0, 5000), min_size=2, max_size=286))
def test_a_code_is_as_short_as_huffmans(times: list[int]) -> None:
    code = made(times, LONGEST_CODE)
    used = [number for number in times if number]

    if len(used) > 1:
        assert cost(times, code) == shortest(used)


@given(st.lists(st.integers(0, 40), min_size=2, max_size=19), st.integers(5, 9))
def test_no_word_is_longer_than_allowed_and_none_begins_another(powers: list[int], longest: int) -> None:
    code = made([1 << power // 2 for power in powers], longest)

    words = [
        format(bits, f"0{length}b")[::-1]
        for bits, length in zip(code.bits.tolist(), code.lengths.tolist(), strict=True)
        if length
    ]
    assert len(words) == len(powers)
    assert max(map(len, words)) <= longest
    assert sum(2.0 ** -len(word) for word in words) == 1
    assert not any(a != b and b.startswith(a) for a in words for b in words)


def made(times: list[int], longest: int) -> Code:
    code = no_code(len(times))
    make_code(np.array(times, np.int32), longest, code, no_tree())
    return code


def cost(times: list[int], code: Code) -> int:
    lengths: Numbers = code.lengths
    return int((np.array(times) * lengths).sum())


def shortest(times: list[int]) -> int:
    """The bits of the best code: the weights of all nodes together."""
    heapq.heapify(times)
    total = 0
    while len(times) > 1:
        joined = heapq.heappop(times) + heapq.heappop(times)
        total += joined
        heapq.heappush(times, joined)
    return total
