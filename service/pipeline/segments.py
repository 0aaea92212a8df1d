"""Segments: what stands beside every id of a panoptic picture."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.pipeline.kernels.codes import AREA, FIRST_X, FIRST_Y, LAST_X, LAST_Y, SUM_X, SUM_Y


class Segment(NamedTuple):
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


def measure(counts: NDArray[np.int64]) -> Measures:
    """Read what was counted: (S, 7) as `service.pipeline.kernels.merge` returns it."""
    areas = counts[:, AREA]
    first = counts[:, [FIRST_X, FIRST_Y]]
    sides = counts[:, [LAST_X, LAST_Y]] - first + 1
    middles = counts[:, [SUM_X, SUM_Y]] / np.maximum(areas, 1)[:, None]
    return Measures(areas, np.concatenate([first, sides], axis=1), middles)
