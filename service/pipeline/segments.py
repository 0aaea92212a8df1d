"""Segments: what stands beside every id of a panoptic picture."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BAND_PIXELS = 1 << 20


@dataclass(frozen=True)
class Segment:
    """One object, or one class of stuff; lengths are pixels of the photograph."""

    id: int  # its number in the panoptic picture, never 0
    category_id: int  # the data set's own id
    class_index: int
    label: str
    isthing: bool
    score: float  # 0 to 1
    area: int
    bbox: tuple[int, int, int, int]  # x, y, width, height; tight
    center: tuple[float, float]  # x, y

    def to_json(self) -> dict[str, Any]:
        """The segment as the answers carry it."""
        return {
            "id": self.id,
            "category_id": self.category_id,
            "class_index": self.class_index,
            "label": self.label,
            "isthing": self.isthing,
            "score": round(self.score, 4),
            "area": self.area,
            "bbox": list(self.bbox),
            "center": [round(self.center[0], 1), round(self.center[1], 1)],
            "iscrowd": 0,
        }


@dataclass(frozen=True)
class Measures:
    """Area, box and middle of every code of a map; boxes and middles of absent codes mean nothing."""

    areas: NDArray[np.int64]  # (S,)
    boxes: NDArray[np.int64]  # (S, 4), x, y, width, height
    middles: NDArray[np.float64]  # (S, 2), x, y


def measure(codes: NDArray[np.uint16], count: int) -> Measures:
    """Measure the codes 0 to count - 1 of an (H, W) map."""
    first_y, height, middle_y, areas = _extent(codes, count)
    first_x, width, middle_x, _ = _extent(codes.T, count)
    boxes = np.stack([first_x, first_y, width, height], axis=1)
    return Measures(areas, boxes, np.stack([middle_x, middle_y], axis=1))


def _extent(
    codes: NDArray[np.uint16], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """First row, number of rows, mean row and pixels of every code."""
    table = _counts_by_row(codes, count)
    areas = table.sum(axis=0)
    seen = table > 0
    first = seen.argmax(axis=0)
    last = len(table) - 1 - seen[::-1].argmax(axis=0)
    middle = (np.arange(len(table)) @ table) / np.maximum(areas, 1)
    return first, last - first + 1, middle, areas


def _counts_by_row(codes: NDArray[np.uint16], count: int) -> NDArray[np.int64]:
    """(H, W) codes to (H, count) numbers of pixels."""
    rows, columns = codes.shape
    table = np.empty((rows, count), np.int64)
    height = max(1, _BAND_PIXELS // columns)
    for start in range(0, rows, height):
        band = codes[start : start + height]
        shifted = band + np.arange(len(band))[:, None] * count
        table[start : start + height] = np.bincount(shifted.ravel(), minlength=len(band) * count).reshape(
            -1, count
        )
    return table
