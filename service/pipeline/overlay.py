"""The overlay: the photograph under its coloured segments, for people to look at."""

from collections.abc import Sequence
from io import BytesIO

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from model.bundle import CategorySpec, Color, Size
from model.fit import resize
from service.pipeline.encode import number_ids
from service.pipeline.png import rgb_png
from service.pipeline.segments import Segment

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

MAX_SIDE = 2048  # pixels; larger photographs are shown smaller

_OPACITY = 0.55
_VOID_LIGHT = 0.75
_LABELLED_SHARE = 0.004  # of the picture; smaller segments go without a label
_QUALITY = 85
_QUICKEST = 0  # WebP's method; its default takes three times as long for a fifth fewer bytes
_COARSE = 256  # pixels a side of the map on which places of labels are sought
_GOLDEN = 0.618  # steps of this fraction spread neighbours' shades apart


def shown_size(photograph: Size) -> Size:
    """Rows and columns of the overlay of a photograph."""
    scale = min(1.0, MAX_SIDE / max(photograph))
    rows, columns = (max(1, round(side * scale)) for side in photograph)
    return rows, columns


def draw_overlay(
    photograph: NDArray[np.uint8],
    ids: NDArray[np.int32],
    segments: Sequence[Segment],
    categories: tuple[CategorySpec, ...],
) -> NDArray[np.uint8]:
    """Draw segments in their categories' colours, with white borders and labels on the larger ones.

    Args:
        photograph: (h, w, 3) RGB, of the photograph's own size or already of its `shown_size`.
        ids: (H, W) of the photograph's own size.
    Returns: (h, w, 3) RGB of the `shown_size`.
    """
    rows, columns = size = shown_size((ids.shape[0], ids.shape[1]))
    shown = ids if ids.shape == size else cv2.resize(ids, (columns, rows), interpolation=cv2.INTER_NEAREST)
    numbers = number_ids(np.asarray(shown, np.int32), segments)
    colors = [(0, 0, 0), *(_color(segment, categories) for segment in segments)]
    blended = _blended(resize(photograph, size), numbers, colors)
    drawn = np.asarray(cv2.bitwise_or(blended, _borders(numbers)), np.uint8)
    _label(drawn, numbers, segments)
    return drawn


def encode_overlay(overlay: NDArray[np.uint8], kind: str = "WEBP") -> bytes:
    """Write an overlay as WEBP, JPEG or PNG; JPEG is the quick one."""
    if kind == "JPEG":
        return bytes(simplejpeg.encode_jpeg(overlay, _QUALITY, "RGB", "420"))
    if kind == "PNG":
        return rgb_png(overlay)
    file = BytesIO()
    Image.fromarray(overlay).save(file, kind, quality=_QUALITY, method=_QUICKEST)
    return file.getvalue()


def _blended(
    picture: NDArray[np.uint8], numbers: NDArray[np.uint16], colors: Sequence[Color]
) -> NDArray[np.uint8]:
    """The picture under each number's colour, and merely darker under number 0."""
    words = np.array([(*color, 0) for color in colors], np.uint8).view(np.uint32)[:, 0]
    painted = cv2.cvtColor(
        np.take(words, numbers).view(np.uint8).reshape(*numbers.shape, 4), cv2.COLOR_RGBA2RGB
    )
    blended = cv2.addWeighted(picture, 1 - _OPACITY, painted, _OPACITY, 0)
    void = (numbers == 0).view(np.uint8)
    if void.any():
        cv2.copyTo(cv2.convertScaleAbs(picture, alpha=_VOID_LIGHT), void, blended)
    return np.asarray(blended, np.uint8)


def _color(segment: Segment, categories: tuple[CategorySpec, ...]) -> Color:
    """The category's colour; each thing lightens it by a step of its own, so that neighbours differ."""
    color = categories[segment.class_index].color
    if not segment.isthing:
        return color
    share = segment.id * _GOLDEN % 1 * 0.6
    red, green, blue = (round(value + (255 - value) * share) for value in color)
    return red, green, blue


def _borders(numbers: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """(H, W, 3): white where the right or the lower neighbour is of another segment, else black."""
    borders = np.zeros(numbers.shape, np.bool_)
    np.not_equal(numbers[:, :-1], numbers[:, 1:], out=borders[:, :-1])
    borders[:-1] |= numbers[:-1] != numbers[1:]
    white = np.negative(borders.view(np.uint8))  # 1 becomes 255
    return np.asarray(cv2.cvtColor(white, cv2.COLOR_GRAY2RGB), np.uint8)


def _label(picture: NDArray[np.uint8], numbers: NDArray[np.uint16], segments: Sequence[Segment]) -> None:
    """Write the names of the larger segments into the picture."""
    font = ImageFont.load_default(size=max(11, max(picture.shape) // 70))
    step = -(-max(numbers.shape) // _COARSE)
    coarse = numbers[step // 2 :: step, step // 2 :: step]
    areas = np.bincount(coarse.ravel(), minlength=len(segments) + 1)
    for number, segment in enumerate(segments, start=1):
        if areas[number] >= max(1, _LABELLED_SHARE * coarse.size):
            x, y = _deepest(coarse == number)
            _write(picture, segment.label, (x * step + step // 2, y * step + step // 2), font)


def _write(picture: NDArray[np.uint8], text: str, place: tuple[int, int], font: Font) -> None:
    """Write text on a dark plate around a place, (x, y), and inside of the picture."""
    left, top, right, bottom = font.getbbox(text, anchor="mm")
    width, height = round(right - left) + 9, round(bottom - top) + 7
    x, y = _inside(place, (width, height), (picture.shape[1], picture.shape[0]))
    under = picture[y : y + height, x : x + width]
    plate = Image.fromarray(under)
    draw = ImageDraw.Draw(plate, "RGBA")
    draw.rounded_rectangle((0, 0, width - 1, height - 1), 4, fill=(0, 0, 0, 150))
    draw.text((4 - left, 3 - top), text, font=font, anchor="mm", fill=(255, 255, 255, 255))
    under[:] = np.asarray(plate)


def _deepest(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The (x, y) farthest inside of a mask, where a label covers least of what is around."""
    framed = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(x), int(y)


def _inside(place: tuple[int, int], box: tuple[int, int], picture: tuple[int, int]) -> tuple[int, int]:
    """The left upper corner of a box around a place, moved so far that the box stays in the picture; all (x, y)."""
    x, y = (
        max(0, min(middle - side // 2, limit - side))
        for middle, side, limit in zip(place, box, picture, strict=True)
    )
    return x, y
