"""Cityscapes in its official folders, with or without the panoptic pictures that its scripts prepare."""

from functools import partial
from pathlib import Path

import numpy as np

from model.categories import load_categories
from service.evaluation.coco import read_index
from service.evaluation.truth import DataSet, DataSetError, Item, TrueSegment, Truth, read_labels

PHOTOGRAPHS = Path("leftImg8bit", "val")
_PHOTOGRAPH = "_leftImg8bit.png"
_INSTANCES = "_gtFine_instanceIds.png"
_PER_CLASS = 1000  # an instance is its class id times this, plus its number


def open_cityscapes(path: Path) -> DataSet:
    """Open `leftImg8bit/val` with `gtFine/cityscapes_panoptic_val`, else with the instanceIds of `gtFine/val`.

    Raises: DataSetError: something of it is missing or damaged.
    """
    index, labels = (
        path / "gtFine" / "cityscapes_panoptic_val.json",
        path / "gtFine" / "cityscapes_panoptic_val",
    )
    if not (path / PHOTOGRAPHS).is_dir():
        raise DataSetError(f"{path} is no data set of layout cityscapes: {path / PHOTOGRAPHS} is missing.")
    if index.is_file() and labels.is_dir():
        categories, items = read_index(index, labels, lambda image: _photograph(path, str(image["id"])))
    else:
        categories = {category.id: category.name for category in load_categories("cityscapes")}
        items = _from_instances(path, frozenset(categories))
    return DataSet(path, "cityscapes", categories, items, forgives_void=True)


def segments_of(instances: frozenset[int], categories: frozenset[int]) -> tuple[TrueSegment, ...]:
    """Segments of an instanceIds picture, as the official conversion makes them.

    Args:
        instances: its numbers: a class id for stuff and for groups of things, class id x 1000 + number for a thing.
        categories: class ids that count; all others are void.
    """
    things = frozenset(category.id for category in load_categories("cityscapes") if category.isthing)
    found = []
    for number in sorted(instances):
        alone = number >= _PER_CLASS
        category = number // _PER_CLASS if alone else number
        if category in categories:
            found.append(TrueSegment(number, category, iscrowd=category in things and not alone))
    return tuple(found)


def _from_instances(path: Path, categories: frozenset[int]) -> tuple[Item, ...]:
    labels = path / "gtFine" / "val"
    if not labels.is_dir():
        raise DataSetError(
            f"{path} is no data set of layout cityscapes: it has neither gtFine/cityscapes_panoptic_val with its .json "
            f"nor {labels}."
        )
    items = []
    for photograph in sorted((path / PHOTOGRAPHS).glob(f"*/*{_PHOTOGRAPH}")):
        name = photograph.name.removesuffix(_PHOTOGRAPH)
        picture = labels / photograph.parent.name / (name + _INSTANCES)
        items.append(Item(name, photograph, partial(_read_instances, picture, categories)))
    return tuple(items)


def _read_instances(labels: Path, categories: frozenset[int]) -> Truth:
    numbers = np.asarray(read_labels(labels)).astype(np.int32)
    segments = segments_of(frozenset(np.unique(numbers).tolist()), categories)
    known = np.isin(numbers, [segment.id for segment in segments])
    return Truth(np.where(known, numbers, 0).astype(np.int32), segments)


def _photograph(path: Path, name: str) -> Path:
    """Its folder is the city, which its name begins with."""
    return path / PHOTOGRAPHS / name.split("_", maxsplit=1)[0] / (name + _PHOTOGRAPH)
