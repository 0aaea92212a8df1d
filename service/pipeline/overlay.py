"""The overlay: the photograph under its coloured segments, for people to look at."""

from collections.abc import Sequence
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from model.bundle import CategorySpec, Color, Size
from model.fit import resize
from service.pipeline.segments import Segment

MAX_SIDE = 2048  # pixels; larger photographs are shown smaller

_OPACITY = 0.55
_LABELLED_SHARE = 0.004  # of the picture; smaller segments go without a label
_QUALITY = 85
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
    picture = resize(photograph, size)
    shown = ids if ids.shape == size else cv2.resize(ids, (columns, rows), interpolation=cv2.INTER_NEAREST)
    numbers = np.searchsorted([0, *(segment.id for segment in segments)], shown)
    colors = [(0, 0, 0), *(_color(segment, categories) for segment in segments)]
    painted = np.array(colors, np.uint8)[numbers]
    opacity = np.array([0.25, *([_OPACITY] * len(segments))], np.float32)[numbers][:, :, None]
    blended = (picture * (1 - opacity) + painted * opacity).astype(np.uint8)
    blended[_borders(numbers)] = 255
    return _labelled(blended, numbers, segments)


def encode_overlay(overlay: NDArray[np.uint8], kind: str = "WEBP") -> bytes:
    """Write an overlay as WEBP, JPEG or PNG."""
    file = BytesIO()
    Image.fromarray(overlay).save(file, kind, quality=_QUALITY)
    return file.getvalue()


def _color(segment: Segment, categories: tuple[CategorySpec, ...]) -> Color:
    """The category's colour; each thing lightens it by a step of its own, so that neighbours differ."""
    color = categories[segment.class_index].color
    if not segment.isthing:
        return color
    share = segment.id * _GOLDEN % 1 * 0.6
    red, green, blue = (round(value + (255 - value) * share) for value in color)
    return red, green, blue


def _borders(numbers: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Pixels whose right or lower neighbour is of another segment."""
    borders = np.zeros(numbers.shape, np.bool_)
    borders[:, :-1] |= numbers[:, :-1] != numbers[:, 1:]
    borders[:-1] |= numbers[:-1] != numbers[1:]
    return borders


def _labelled(
    picture: NDArray[np.uint8], numbers: NDArray[np.intp], segments: Sequence[Segment]
) -> NDArray[np.uint8]:
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image, "RGBA")
    font = ImageFont.load_default(size=max(11, max(picture.shape) // 70))
    areas = np.bincount(numbers.ravel(), minlength=len(segments) + 1)
    for number, segment in enumerate(segments, start=1):
        if areas[number] < _LABELLED_SHARE * numbers.size:
            continue
        _, _, width, height = draw.textbbox((0, 0), segment.label, font=font)
        place = _inside(_deepest(numbers == number), (width + 8, height + 6), image.size)
        box = draw.textbbox(place, segment.label, font=font, anchor="mm")
        draw.rounded_rectangle((box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3), 4, fill=(0, 0, 0, 150))
        draw.text(place, segment.label, font=font, anchor="mm", fill=(255, 255, 255, 255))
    return np.asarray(image)


def _deepest(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The (x, y) farthest inside of a mask, where a label covers least of what is around."""
    framed = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(x), int(y)


def _inside(
    place: tuple[int, int], box: tuple[float, float], picture: tuple[int, int]
) -> tuple[float, float]:
    """Move a box's middle so far that the box stays in the picture; all (x, y)."""
    x, y = (
        min(max(float(middle), side / 2), max(limit - side / 2, side / 2))
        for middle, side, limit in zip(place, box, picture, strict=True)
    )
    return x, y
