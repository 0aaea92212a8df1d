"""JPEG by libjpeg-turbo, decoded only as large as it is needed.

A JPEG's blocks of 8 x 8 pixels can be turned into 4 x 4, 2 x 2 or 1 pixel at once, which saves the work on pixels that
a resize would average away.
"""

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from model.bundle import Size

HEADROOM = 2.0
"""How many times the needed size, on both sides, a reduced picture has at least.

A block is averaged more sharply than the resize averages, so the last factor of 2 is left to the resize: it keeps the
network's input at about 47 dB or nearer to the full way's, against 38 without; `benchmarks/reduced.py` prints both.
"""


_PLAIN = ("YCbCr", "RGB", "Gray")
_SCAN, _SAYS_MORE = b"\xff\xda", b"\xff\xe1"  # the last: what Exif and XMP stand in, the way to turn it too


def plain_size(data: bytes) -> Size | None:
    """Rows and columns of a JPEG in gray or colour that has neither Exif nor XMP; None of anything else."""
    if not data.startswith(b"\xff\xd8") or not _is_short_of_words(data):
        return None
    try:
        rows, columns, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except ValueError:
        return None
    return (rows, columns) if space in _PLAIN else None


def reduction(stored: Size, needed: Size, headroom: float = HEADROOM) -> int:
    """By how much a JPEG is reduced, 1, 2, 4 or 8: the most that leaves `headroom` times the needed size."""
    for factor in (8, 4, 2):
        if all(side // factor >= headroom * least for side, least in zip(stored, needed, strict=True)):
            return factor
    return 1


def decode_jpeg(data: bytes, stored: Size, factor: int) -> NDArray[np.uint8] | None:
    """Decode gray or colour to RGB, each side divided by the factor and rounded up.

    Returns: (H, W, 3); None where anything at all is wrong with the file.
    """
    rows, columns = (-(-side // factor) for side in stored)
    try:
        pixels = simplejpeg.decode_jpeg(
            data, colorspace="RGB", min_height=rows, min_width=columns, strict=True
        )
    except ValueError:
        return None
    return np.asarray(pixels) if pixels.shape[:2] == (rows, columns) else None


def _is_short_of_words(data: bytes) -> bool:
    """Whether the segments before the first scan are known to hold neither Exif nor XMP."""
    at = 2
    while (marker := data[at : at + 2])[:1] == b"\xff" and marker != _SAYS_MORE:
        if marker == _SCAN:
            return True
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return False
