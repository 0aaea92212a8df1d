"""Mutation: bytes become other bytes, always the same ones for the same number."""

import random
import struct
import zlib
from collections.abc import Callable

ODD = (0, 1, 2, 7, 8, 16, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
"""Numbers at which lengths, sizes and offsets break."""

_PNG = b"\x89PNG\r\n\x1a\n"

Change = Callable[[bytearray, random.Random, bytes], None]


def mutate(number: int, originals: list[bytes]) -> bytes:
    """Change one of the originals in one to eight places.

    Half of all PNGs get right checksums again: else hardly anything behind the checksum would ever be read.
    """
    chance = random.Random(number)
    data, other = bytearray(chance.choice(originals)), chance.choice(originals)
    for _ in range(chance.randint(1, 8)):
        if data:
            chance.choice(_CHANGES)(data, chance, other)
    if data.startswith(_PNG) and chance.random() < 0.5:
        _mend_checksums(data)
    return bytes(data)


def _flip(data: bytearray, chance: random.Random, other: bytes) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random, other: bytes) -> None:
    code = chance.choice(("<B", "<H", ">H", "<I", ">I"))
    size = struct.calcsize(code)
    if len(data) >= size:
        value = chance.choice(ODD) & (1 << 8 * size) - 1
        # Most of what steers a decoder stands at the beginning.
        reach = len(data) if chance.random() < 0.5 else min(len(data), 128)
        struct.pack_into(code, data, chance.randrange(max(1, reach - size + 1)), value)


def _delete(data: bytearray, chance: random.Random, other: bytes) -> None:
    begin = chance.randrange(len(data))
    del data[begin : begin + chance.randint(1, 32)]


def _repeat(data: bytearray, chance: random.Random, other: bytes) -> None:
    begin = chance.randrange(len(data))
    data[begin:begin] = data[begin : begin + chance.randint(1, 64)] * chance.randint(1, 4)


def _insert(data: bytearray, chance: random.Random, other: bytes) -> None:
    begin = chance.randrange(len(data))
    data[begin:begin] = chance.randbytes(chance.randint(1, 16))


def _truncate(data: bytearray, chance: random.Random, other: bytes) -> None:
    del data[chance.randrange(len(data)) :]


def _splice(data: bytearray, chance: random.Random, other: bytes) -> None:
    begin, size = chance.randrange(len(other)), chance.randint(1, 128)
    at = chance.randrange(len(data))
    data[at : at + size] = other[begin : begin + size]


_CHANGES: tuple[Change, ...] = (
    _flip,
    _flip,
    _overwrite,
    _overwrite,
    _delete,
    _repeat,
    _insert,
    _truncate,
    _splice,
)


def _mend_checksums(data: bytearray) -> None:
    at = len(_PNG)
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        end = at + 8 + size
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
