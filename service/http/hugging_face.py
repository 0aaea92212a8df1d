"""Hugging Face's form of image segmentation: a list with label, score and mask of each segment."""

import base64
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from service.pipeline.png import gray_png
from service.pipeline.segments import Segment


class HuggingFaceMask(TypedDict):
    """One segment, as their image-segmentation task tells it."""

    label: str
    score: float
    mask: str  # a PNG of the photograph's size in base64, 8 bits gray: 255 is the segment, 0 the rest


def hugging_face_masks(ids: NDArray[np.int32], segments: Sequence[Segment]) -> list[HuggingFaceMask]:
    """The segments with a picture each.

    Args:
        ids: (H, W).
    """
    return [
        {"label": segment.label, "score": round(segment.score, 4), "mask": _mask(ids, segment.id)}
        for segment in segments
    ]


def _mask(ids: NDArray[np.int32], segment_id: int) -> str:
    inside = np.negative((ids == segment_id).view(np.uint8))  # 1 becomes 255
    return base64.b64encode(gray_png(inside)).decode()
