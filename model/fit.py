"""Fitting a photograph into a bucket of the network's input, and the sizes that lead back.

One resize for all: validation, export and service see a photograph alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.bundle import Color, Size

Box = tuple[float, float, float, float]
"""A part of a picture in pixels, which may be cut: left, top, right, bottom."""


@dataclass(frozen=True)
class Sizes:
    """Rows and columns of one picture on its way."""

    input: Size  # what the network eats, padding and all
    fitted: Size  # the part of it that is picture, at the top left
    output: Size  # the photograph


def both_ways_up(size: Size) -> tuple[Size, ...]:
    """A size and that size turned, once where they are one: the usual buckets."""
    return tuple(dict.fromkeys((size, (size[1], size[0]))))


def choose_bucket(photograph: Size, buckets: tuple[Size, ...]) -> Size:
    """The bucket in which the photograph is largest; of equal ones the smallest, which pads least."""
    return min(buckets, key=lambda bucket: (-_scale(photograph, bucket), bucket[0] * bucket[1]))


def fitted_size(photograph: Size, bucket: Size) -> Size:
    """Size of the photograph scaled to fit the bucket with its shape kept; no side is below 1."""
    scale = _scale(photograph, bucket)
    rows, columns = (
        min(max(1, round(side * scale)), limit) for side, limit in zip(photograph, bucket, strict=True)
    )
    return rows, columns


def resize(pixels: NDArray[np.uint8], size: Size, box: Box | None = None) -> NDArray[np.uint8]:
    """Scale (H, W, 3) RGB by Pillow's bilinear filter, which antialiases: the filter the networks are trained with.

    Args:
        box: the part that is scaled; None is all.
    """
    rows, columns = pixels.shape[:2]
    whole = (0.0, 0.0, float(columns), float(rows))
    if (rows, columns) == size and box in (None, whole):
        return pixels
    image = Image.fromarray(pixels).resize(
        (size[1], size[0]), Image.Resampling.BILINEAR, box, reducing_gap=None
    )
    return np.asarray(image)


def fit(
    pixels: NDArray[np.uint8],
    bucket: Size,
    pad_value: Color,
    *,
    photograph: Size | None = None,
    box: Box | None = None,
    out: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.uint8], Sizes]:
    """Bring a photograph, (H, W, 3) RGB, to the bucket's size: at the top left, padded at bottom and right.

    Args:
        photograph: its own size where the pixels are a reduced copy of it.
        box: where in the pixels it lies, as for `resize`.
        out: (rows, columns, 3) of the bucket, written and returned, such as a place in a batch; None makes one, or
            returns the pixels themselves where they fill the bucket as they are.
    """
    photograph = photograph or (pixels.shape[0], pixels.shape[1])
    sizes = Sizes(input=bucket, fitted=fitted_size(photograph, bucket), output=photograph)
    rows, columns = sizes.fitted
    fitted = resize(pixels, sizes.fitted, box)
    if out is None and sizes.fitted == bucket:
        return fitted, sizes
    canvas = np.empty((*bucket, 3), np.uint8) if out is None else out
    canvas[rows:] = pad_value
    canvas[:rows, columns:] = pad_value
    canvas[:rows, :columns] = fitted
    return canvas, sizes


def _scale(photograph: Size, bucket: Size) -> float:
    return min(bucket[0] / photograph[0], bucket[1] / photograph[1])
