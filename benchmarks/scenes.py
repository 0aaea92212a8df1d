"""What the measurements of codecs work on: a photograph and a map of ids, both made anew and always the same."""

from importlib.resources import files
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.bundle import CategorySpec, Size
from service.pipeline.segments import Segment

STUFF, THINGS = 11, 30
DIVISOR = 1000
CATEGORIES = tuple(
    CategorySpec(
        id=index, name=f"class {index}", isthing=index == STUFF, color=(20 * index, 100, 255 - 20 * index)
    )
    for index in range(STUFF + 1)
)


def photographs() -> list[Path]:
    """Two photographs, 640 x 427, that come with scikit-learn."""
    folder = Path(str(files("sklearn") / "datasets" / "images"))
    return [folder / "china.jpg", folder / "flower.jpg"]


def jpeg(size: Size, quality: int = 90) -> bytes:
    """A photograph enlarged to a size, with the grain that enlarging takes from it."""
    with Image.open(photographs()[0]) as image:
        large = np.asarray(image.convert("RGB").resize(size[::-1], Image.Resampling.BICUBIC))
    grain = np.random.default_rng(0).normal(0, 3, (*size, 1))
    file = BytesIO()
    Image.fromarray((large + grain).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def id_map(size: Size) -> NDArray[np.int32]:
    """Smooth areas of stuff under ellipses, at most STUFF + THINGS ids."""
    rng = np.random.default_rng(0)
    rows, columns = size
    fields = rng.normal(size=(rows // 160 + 1, columns // 160 + 1, STUFF)).astype(np.float32)
    smooth = np.asarray(cv2.resize(fields, (columns, rows), interpolation=cv2.INTER_CUBIC))
    ids = (smooth.argmax(axis=2) * DIVISOR + 1).astype(np.int32)
    for thing in range(1, THINGS + 1):
        x, y = int(rng.integers(columns)), int(rng.integers(rows))
        width, height = (int(side) for side in rng.integers(10, rows // 12, 2))
        number = STUFF * DIVISOR + thing + 1
        cv2.ellipse(ids, (x, y), (width, height), float(rng.integers(180)), 0, 360, number, -1)
    return ids


def segments_of(ids: NDArray[np.int32]) -> list[Segment]:
    """A segment for every id."""
    return [_segment(int(number), ids == number) for number in np.unique(ids)]


def _segment(number: int, mask: NDArray[np.bool_]) -> Segment:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1
    category = CATEGORIES[(number - 1) // DIVISOR]
    return Segment(
        id=number,
        category_id=category.id,
        class_index=category.id,
        label=category.name,
        isthing=category.isthing,
        score=0.9,
        area=int(mask.sum()),
        bbox=box,
        center=(float(columns.mean()), float(rows.mean())),
    )
