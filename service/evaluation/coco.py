"""Data sets in COCO's panoptic format: an index as JSON, photographs, and PNGs of segment ids."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from service.evaluation.truth import DataSet, DataSetError, Item, TrueSegment, Truth, TruthError, read_labels
from service.pipeline.encode import rgb_to_ids

_SHOWN = 3  # ids that a message lists at most


def open_coco(path: Path) -> DataSet:
    """Open COCO's official folders: `val2017`, `annotations/panoptic_val2017` and its `.json`.

    Raises: DataSetError: something of it is missing or damaged.
    """
    annotations = path / "annotations"
    return _open(
        path,
        "coco",
        annotations / "panoptic_val2017.json",
        path / "val2017",
        annotations / "panoptic_val2017",
    )


def open_folder(path: Path) -> DataSet:
    """Open a folder that holds `panoptic.json`, `images` and `panoptic`.

    Raises: DataSetError: something of it is missing or damaged.
    """
    return _open(path, "folder", path / "panoptic.json", path / "images", path / "panoptic")


def read_index(
    index: Path, labels: Path, photograph_of: Callable[[Mapping[str, Any]], Path]
) -> tuple[dict[int, str], tuple[Item, ...]]:
    """Read a panoptic index: {category id: name}, and its photographs.

    Args:
        labels: folder of the PNGs.
        photograph_of: an entry of the index's `images` to its file.

    Raises: DataSetError: the index is damaged.
    """
    try:
        found = json.loads(index.read_text(encoding="utf-8"))
        categories = {category["id"]: category["name"] for category in found["categories"]}
        images = {image["id"]: image for image in found["images"]}
        items = [
            _item(photograph_of(images[row["image_id"]]), labels / row["file_name"], row)
            for row in found["annotations"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise DataSetError(
            f"{index} is no index in COCO's panoptic format: {type(error).__name__}: {error}. It must hold images, "
            "annotations with segments_info, and categories."
        ) from error
    return categories, tuple(sorted(items, key=lambda item: item.name))


def _open(path: Path, layout: str, index: Path, photographs: Path, labels: Path) -> DataSet:
    for needed in (index, photographs, labels):
        if not needed.exists():
            raise DataSetError(f"{path} is no data set of layout {layout}: {needed} is missing.")
    categories, items = read_index(index, labels, lambda image: photographs / image["file_name"])
    return DataSet(path, layout, categories, items, forgives_void=False)


def _item(photograph: Path, labels: Path, annotation: Mapping[str, Any]) -> Item:
    segments = tuple(
        TrueSegment(row["id"], row["category_id"], bool(row.get("iscrowd", 0)))
        for row in annotation["segments_info"]
    )
    name = str(Path(annotation["file_name"]).with_suffix("")).replace("/", "_")
    return Item(name, photograph, partial(_read, labels, segments))


def _read(labels: Path, segments: tuple[TrueSegment, ...]) -> Truth:
    ids = rgb_to_ids(np.asarray(read_labels(labels).convert("RGB")))
    unknown = sorted(set(np.unique(ids).tolist()) - {0} - {segment.id for segment in segments})
    if unknown:
        shown = ", ".join(map(str, unknown[:_SHOWN]))
        raise TruthError(f"its labels {labels} hold {len(unknown)} ids that the index does not list: {shown}")
    return Truth(ids, segments)
