"""Segments: what stands beside every id of a panoptic picture."""

from collections.abc import Sequence
from typing import Any, NamedTuple

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


def measured(counts: Sequence[int]) -> tuple[int, Box, Point]:
    """Area, box and middle of a code that has pixels, of what was counted of it, as `kernels.codes` has it."""
    area, sum_y, sum_x, first_y, first_x, last_y, last_x = counts
    box = (first_x, first_y, last_x - first_x + 1, last_y - first_y + 1)
    return area, box, (sum_x / area, sum_y / area)
