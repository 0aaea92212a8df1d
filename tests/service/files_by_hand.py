"""PNG and TIFF files of kinds that no library at hand writes."""

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

GRAY, RGB, GRAY_ALPHA = 0, 2, 4  # PNG's colour types
_SHORT, _LONG = 3, 4  # TIFF's types of values


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(columns: int, rows: int, bits: int, color: int, payload: bytes, before: bytes = b"") -> bytes:
    """A PNG around compressed lines, each with its filter's number; `before` are chunks before them."""
    header = struct.pack(">IIBBBBB", columns, rows, bits, color, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + before + chunk(b"IDAT", payload) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_line(values: np.ndarray, color: int, before: bytes = b"") -> bytes:
    """A PNG of one line of 16-bit values, (W,) or (W, C)."""
    return png(len(values), 1, 16, color, zlib.compress(b"\0" + values.astype(">u2").tobytes()), before)


def tiff_line(columns: int, content: bytes, *, bits: int, photometric: int, **tags: int) -> bytes:
    """A TIFF of one line, little-endian and uncompressed.

    Args:
        photometric: 0 white is zero, 1 black is zero, 2 RGB, 5 CMYK.
        tags: `samples` a pixel, 1; `form` of a value, 1 unsigned, 2 signed, 3 float.
    """
    samples = tags.get("samples", 1)
    entries: dict[int, Sequence[int]] = {
        256: [columns], 257: [1], 258: [bits] * samples, 259: [1], 262: [photometric], 273: [0],
        277: [samples], 278: [1], 279: [len(content)], 339: [tags.get("form", 1)] * samples,
    }  # fmt: skip
    entries[273] = [len(_directory(entries))]
    return _directory(entries) + content


def tiled_tiff(pixels: np.ndarray, side: int) -> bytes:
    """A TIFF of tiles; the picture, (H, W, 3), is a whole number of them."""
    rows, columns, _ = pixels.shape
    tiles = pixels.reshape(rows // side, side, columns // side, side, 3).swapaxes(1, 2)
    count = tiles.shape[0] * tiles.shape[1]
    entries: dict[int, Sequence[int]] = {
        256: [columns], 257: [rows], 258: [8] * 3, 259: [1], 262: [2], 277: [3],
        322: [side], 323: [side], 324: [0] * count, 325: [side * side * 3] * count,
    }  # fmt: skip
    start = len(_directory(entries))
    entries[324] = [start + index * side * side * 3 for index in range(count)]
    return _directory(entries) + tiles.tobytes()


def _directory(entries: Mapping[int, Sequence[int]]) -> bytes:
    kinds = {273: _LONG, 279: _LONG, 324: _LONG, 325: _LONG}
    beyond = 8 + 2 + 12 * len(entries) + 4
    written, far = struct.pack("<H", len(entries)), b""
    for tag, values in sorted(entries.items()):
        kind = kinds.get(tag, _SHORT)
        raw = np.array(values, "<u2" if kind == _SHORT else "<u4").tobytes()
        place = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack("<I", beyond + len(far))
        far += raw if len(raw) > 4 else b""
        written += struct.pack("<HHI", tag, kind, len(values)) + place
    return b"II*\0" + struct.pack("<I", 8) + written + bytes(4) + far
