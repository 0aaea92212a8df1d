"""Encoding: the COCO panoptic PNG, the masks and the JSON beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import orjson
from numpy.typing import NDArray

from model.bundle import Bundle, Size
from service.pipeline.panoptic import Ids, Panoptic
from service.pipeline.png import code_png, palette_png
from service.pipeline.rle import compressed_masks
from service.pipeline.segments import Segment, segments_info

MAX_ID = (1 << 24) - 1
_PALETTE_COLORS = 256


def panoptic_png(panoptic: Panoptic, *, request_id: str = "", palette: bool = False) -> bytes:
    """Write ids as RGB, id = R + 256 G + 65536 B, with the segments as JSON in an iTXt chunk.

    Args:
        panoptic: of ids up to MAX_ID.
        palette: 8 bits a pixel, whose palette holds the same RGB, where it has room for all; a reader that doesn't
            expand palettes sees numbers that mean nothing.
    """
    segments = panoptic.segments
    texts = {"segments_info": to_json(segments_info(segments)).decode()}
    if request_id:
        texts["request_id"] = request_id
    if palette and len(segments) < _PALETTE_COLORS:
        there_are = np.array([0, *(segment.id for segment in segments)], np.int32)
        numbers = np.searchsorted(there_are, panoptic.code_ids).astype(np.uint8)
        return palette_png(panoptic.codes, numbers, _colors(there_are), texts)
    return code_png(panoptic.codes, _colors(panoptic.code_ids), texts)


def rle_masks(ids: NDArray[np.int32], segments: Sequence[Segment]) -> list[dict[str, Any]]:
    """The mask of every segment as pycocotools reads it: {"size": [H, W], "counts": text}.

    Args:
        segments: in order of id.
    """
    counts = compressed_masks(ids, [segment.id for segment in segments])
    return [{"size": list(ids.shape), "counts": each.decode("ascii")} for each in counts]


def number_ids(ids: NDArray[np.int32], segments: Sequence[Segment]) -> NDArray[np.uint16]:
    """(H, W) ids to their segments' places in the list, from 1 on; 0 stays 0."""
    table = np.zeros(max((segment.id for segment in segments), default=0) + 1, np.uint16)
    table[[segment.id for segment in segments]] = np.arange(1, len(segments) + 1)
    return np.take(table, ids)


def ids_to_rgb(ids: NDArray[np.int32]) -> NDArray[np.uint8]:
    """(H, W) ids to (H, W, 3) COCO colours."""
    little = np.ascontiguousarray(ids, dtype="<u4").view(np.uint8).reshape(*ids.shape, 4)
    return np.asarray(cv2.cvtColor(little, cv2.COLOR_RGBA2RGB), np.uint8)


def _colors(ids: Ids) -> NDArray[np.uint8]:
    """(S,) ids to (S, 3) COCO colours."""
    return ids.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3]


def rgb_to_ids(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
    """(H, W, 3) COCO colours to (H, W) ids."""
    wide = rgb.astype(np.int32)
    return np.asarray(wide[:, :, 0] | wide[:, :, 1] << 8 | wide[:, :, 2] << 16, np.int32)


def to_json(value: Any, *, indent: bool = False) -> bytes:
    """Plain data as UTF-8 JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None)


def describe(
    segments: Sequence[Segment],
    *,
    request_id: str,
    bundle: Bundle,
    size: Size,
    orientation: int,
    timings_ms: Mapping[str, float],
) -> dict[str, Any]:
    """The answer as plain data, without the picture.

    Args:
        size: rows and columns of the photograph, upright.
        orientation: the EXIF orientation that was undone.
    """
    manifest = bundle.manifest
    return {
        "id": request_id,
        "model": {"name": manifest.name, "version": manifest.version, "digest": bundle.digest},
        "image": {
            "width": size[1],
            "height": size[0],
            "orientation_applied": orientation != 1,
            "exif_orientation": orientation,
        },
        "segments_info": segments_info(segments),
        "timings_ms": {stage: round(milliseconds, 3) for stage, milliseconds in timings_ms.items()},
    }
