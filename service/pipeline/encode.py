"""Encoding: the COCO panoptic PNG and the JSON beside it."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from model.bundle import Bundle, Size
from service.pipeline.segments import Segment

MAX_ID = (1 << 24) - 1
_COMPRESSION = 1  # zlib level: larger ones take several times as long for a third of the bytes


def panoptic_png(ids: NDArray[np.int32], segments: Sequence[Segment], *, request_id: str = "") -> bytes:
    """Write ids as RGB, id = R + 256 G + 65536 B, with the segments as JSON in an iTXt chunk.

    Args:
        ids: (H, W), 0 to MAX_ID.
    """
    text = PngInfo()
    text.add_itxt("segments_info", to_json([segment.to_json() for segment in segments]).decode())
    if request_id:
        text.add_itxt("request_id", request_id)
    file = BytesIO()
    Image.fromarray(ids_to_rgb(ids)).save(file, "PNG", compress_level=_COMPRESSION, pnginfo=text)
    return file.getvalue()


def ids_to_rgb(ids: NDArray[np.int32]) -> NDArray[np.uint8]:
    """(H, W) ids to (H, W, 3) COCO colours."""
    little = np.ascontiguousarray(ids, dtype="<u4").view(np.uint8)
    return np.ascontiguousarray(little.reshape(*ids.shape, 4)[:, :, :3])


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
        "segments_info": [segment.to_json() for segment in segments],
        "timings_ms": {stage: round(milliseconds, 3) for stage, milliseconds in timings_ms.items()},
    }
