"""Results: an answer of the server as numpy ids and typed segments."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.client.errors import Unanswered


@dataclass(frozen=True)
class ModelName:
    """Which model answered."""

    name: str
    version: str
    digest: str  # sha256 that names every byte of its bundle


@dataclass(frozen=True)
class Segment:
    """One segment of a photograph, as the server tells it."""

    id: int  # its pixels' value in `Segmentation.ids`
    category_id: int  # the data set's own
    class_index: int
    label: str
    isthing: bool
    score: float  # 0 to 1
    area: int  # pixels
    bbox: tuple[int, int, int, int]  # x, y, width, height
    center: tuple[float, float]  # x, y


@dataclass(frozen=True)
class Segmentation:
    """An answered photograph."""

    ids: NDArray[np.uint32]  # (rows, columns) of the upright photograph; 0 is void
    segments: tuple[Segment, ...]
    model: ModelName
    request_id: str
    timings_ms: Mapping[str, float]
    document: Mapping[str, Any] = field(repr=False, compare=False)  # the whole answer but the picture
    png: bytes = field(repr=False, compare=False)  # the panoptic PNG as it came

    def mask(self, segment: Segment) -> NDArray[np.bool_]:
        """(rows, columns), true where the segment is."""
        return self.ids == segment.id


def read_segmentation(content: bytes) -> Segmentation:
    """Read the JSON form of an answer.

    Raises: Unanswered: it is none.
    """
    try:
        document = json.loads(content)
        png = base64.b64decode(document.pop("panoptic_png"), validate=True)
        return Segmentation(
            ids=_read_ids(png),
            segments=tuple(map(_read_segment, document["segments_info"])),
            model=ModelName(**{name: document["model"][name] for name in ("name", "version", "digest")}),
            request_id=document["id"],
            timings_ms=document["timings_ms"],
            document=document,
            png=png,
        )
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise Unanswered(
            f"The answer cannot be read ({type(error).__name__}: {error}). Is this a panoptic service?"
        ) from error


def _read_segment(fields: Mapping[str, Any]) -> Segment:
    x, y, width, height = fields["bbox"]
    known = {
        name: fields[name]
        for name in ("id", "category_id", "class_index", "label", "isthing", "score", "area")
    }
    return Segment(**known, bbox=(x, y, width, height), center=(fields["center"][0], fields["center"][1]))


def _read_ids(png: bytes) -> NDArray[np.uint32]:
    with Image.open(BytesIO(png), formats=("PNG",)) as image:
        colors = np.asarray(image.convert("RGB")).astype(np.uint32)
    return np.asarray(colors @ np.array([1, 1 << 8, 1 << 16], np.uint32), np.uint32)  # (rows, columns)
