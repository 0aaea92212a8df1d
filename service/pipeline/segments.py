"""Segments: what stands beside every id of a panoptic picture."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Box = tuple[int, int, int, int]
"""x, y, width, height; tight."""

Point = tuple[float, float]
"""x, y."""


class Segment(NamedTuple):
    """One object, or one class of stuff; lengths are pixels of the photograph."""

    id: int  # its number in the panoptic picture, never 0
    category_id: int  # the data set's own id
    class_index: int
    label: str
    isthing: bool
    score: float  # 0 to 1
    area: int
    bbox: Box
    center: Point  # a thing's as the network has it, the middle of stuff


def segments_info(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    """The segments as answers carry them, in order; scores to four decimals, centers to one.

    All are rounded at once: one by one that would be much of the work.
    """
    scores = np.round([segment.score for segment in segments], 4).tolist()
    centers = np.round([segment.center for segment in segments], 1).tolist()
    return [
        {
            "id": number,
            "category_id": category_id,
            "class_index": class_index,
            "label": label,
            "isthing": isthing,
            "score": score,
            "area": area,
            "bbox": list(box),
            "center": center,
            "iscrowd": 0,
        }
        for (number, category_id, class_index, label, isthing, _, area, box, _), score, center in zip(
            segments, scores, centers, strict=True
        )
    ]


def measured(counts: Sequence[int]) -> tuple[int, Box, Point]:
    """Area, box and middle of a code that has pixels, of what was counted of it, as `kernels.codes` has it."""
    area, sum_y, sum_x, first_y, first_x, last_y, last_x = counts
    box = (first_x, first_y, last_x - first_x + 1, last_y - first_y + 1)
    return area, box, (sum_x / area, sum_y / area)
