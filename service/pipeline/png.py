"""PNG: a writer for maps of codes, which are flat areas with long borders, and for drawn pictures.

One filter for all lines, Up, leaves zeros wherever a pixel equals the one above. Of codes what is left is packed by a
kernel of our own, which goes from change to change; of drawn pictures by zlib-ng.
"""

import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from model.bundle import Size
from service.pipeline.kernels.changes import UP
from service.pipeline.kernels.codes import Labels
from service.pipeline.kernels.deflate import deflate

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB, _PALETTE = 0, 2, 3  # colour types
_LEVEL = 2  # of zlib-ng; 1 is hardly quicker and twice as large, 6 takes three times as long for a tenth less


Texts = Mapping[str, str]
"""What stands in iTXt chunks, by keyword."""


def rgb_png(rgb: NDArray[np.uint8], texts: Texts | None = None) -> bytes:
    """Write (H, W, 3) in 24 bits."""
    rows, columns = rgb.shape[:2]
    return _write((rows, columns), _RGB, b"", _packed(rgb), texts)


def code_png(codes: Labels, colors: NDArray[np.uint8], texts: Texts | None = None) -> bytes:
    """Write (H, W) codes in 24 bits, of which `colors`, (S, 3), holds the RGB."""
    rows, columns = codes.shape
    return _write((rows, columns), _RGB, b"", deflate(codes, colors), texts)


def gray_png(gray: NDArray[np.uint8]) -> bytes:
    """Write (H, W) in 8 bits."""
    rows, columns = gray.shape
    return _write((rows, columns), _GRAY, b"", _packed(gray), None)


def palette_png(
    codes: Labels, numbers: NDArray[np.uint8], palette: NDArray[np.uint8], texts: Texts | None = None
) -> bytes:
    """Write (H, W) codes in 8 bits.

    Args:
        numbers: (S,) each code's place in the palette.
        palette: (P, 3) RGB of up to 256 colours.
    """
    rows, columns = codes.shape
    content = deflate(codes, numbers[:, None])
    return _write((rows, columns), _PALETTE, _chunk(b"PLTE", palette.tobytes()), content, texts)


def _write(size: Size, color_type: int, palette: bytes, content: bytes, texts: Texts | None) -> bytes:
    header = struct.pack(">IIBBBBB", size[1], size[0], 8, color_type, 0, 0, 0)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            *(_chunk(b"iTXt", _text(keyword, text)) for keyword, text in (texts or {}).items()),
            palette,
            _chunk(b"IDAT", content),
            _chunk(b"IEND", b""),
        ]
    )


def _packed(pixels: NDArray[np.uint8]) -> bytes:
    """The filtered lines of (H, W, C): the filter's number, and of each value how far above the upper one."""
    values = pixels.reshape(len(pixels), -1)
    lines = np.empty((len(values), values.shape[1] + 1), np.uint8)
    lines[:, 0] = UP
    lines[0, 1:] = values[0]
    np.subtract(values[1:], values[:-1], out=lines[1:, 1:])
    return bytes(zlib_ng.compress(lines, _LEVEL))


def _text(keyword: str, text: str) -> bytes:
    """Uncompressed, of no language."""
    return keyword.encode("latin-1") + bytes(5) + text.encode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib_ng.crc32(content, zlib_ng.crc32(kind)))
    )
