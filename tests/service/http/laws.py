"""The laws of the interface, read without our own code: Pillow opens, numpy counts."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from tests.service.toy import CATEGORIES

Segments = list[dict[str, Any]]


def ids_of(png: bytes) -> np.ndarray:
    """COCO's ids of a PNG of either kind."""
    with Image.open(BytesIO(png)) as image:
        assert image.format == "PNG"
        red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(np.int64), 2, 0)
    return red + 256 * green + 65536 * blue


def ids_of_text(text: str) -> np.ndarray:
    return ids_of(base64.b64decode(text, validate=True))


def text_of(png: bytes) -> dict[str, Any]:
    with Image.open(BytesIO(png)) as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        return dict(image.text)


def assert_laws(segments: list[dict[str, Any]], ids: np.ndarray) -> None:
    """The laws of the interface on one answer."""
    assert {segment["id"] for segment in segments} == set(np.unique(ids).tolist()) - {0}
    for segment in segments:
        y, x = np.nonzero(ids == segment["id"])
        assert segment["area"] == len(y)
        assert segment["bbox"] == [x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1]
        category = CATEGORIES[segment["class_index"]]
        assert (segment["category_id"], segment["label"]) == (category.id, category.name)
        assert segment["iscrowd"] == 0
