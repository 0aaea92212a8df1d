"""One labelled scene after another, written in each layout of data sets, and answers whose figures are known."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.evaluation.answers import Answers, Identity
from service.evaluation.scores import Reading
from service.pipeline.encode import ids_to_rgb
from service.pipeline.panoptic import panoptic_of
from service.pipeline.segments import Segment
from tests.service.toy import BUILDING, CAR, CATEGORIES, PERSON, ROAD, SKY, Thing, paint

Ids = NDArray[np.int32]

SIZE = (96, 128)
NAMES = ("aachen_000000_000001", "aachen_000000_000002", "bonn_000000_000001")
INDEX_OF = {category.id: index for index, category in enumerate(CATEGORIES)}
IDENTITY = Identity("digest", "backend", "data", "layout", 40)


def things(number: int) -> tuple[Thing, ...]:
    """Two cars and a person; the second car stands elsewhere in every scene."""
    return Thing(CAR, 8, 56, 32, 24), Thing(CAR, 48 + 4 * number, 56, 32, 24), Thing(PERSON, 104, 48, 16, 32)


def scene(number: int) -> Ids:
    """The truth in Cityscapes' numbers: a strip of void, a group of cars, stuff, and the things."""
    ids = np.full(SIZE, 23, np.int32)
    ids[32:] = 11
    ids[64:] = 7
    for place, thing in enumerate(things(number)):
        rows, columns = slice(thing.y, thing.y + thing.height), slice(thing.x, thing.x + thing.width)
        ids[rows, columns] = CATEGORIES[thing.index].id * 1000 + place
    ids[88:, :40] = 26  # a group of cars
    ids[:4] = 0
    return ids


def photograph(number: int) -> NDArray[np.uint8]:
    """The scene as the toy model understands it."""
    return paint((SKY, BUILDING, ROAD), things(number), SIZE)


def segments(ids: Ids) -> list[dict[str, Any]]:
    """COCO's segments_info of a scene."""
    rows = []
    for number in sorted(set(np.unique(ids).tolist()) - {0}):
        category = number // 1000 if number >= 1000 else number
        crowd = int(number == 26)
        rows.append(
            {"id": number, "category_id": category, "iscrowd": crowd, "area": int((ids == number).sum())}
        )
    return rows


def write_folder(path: Path) -> Path:
    return _write(path, path / "panoptic.json", path / "images", path / "panoptic")


def write_coco(path: Path) -> Path:
    annotations = path / "annotations"
    return _write(
        path, annotations / "panoptic_val2017.json", path / "val2017", annotations / "panoptic_val2017"
    )


def write_cityscapes(path: Path, *, prepared: bool) -> Path:
    """Write Cityscapes' folders, with the prepared panoptic pictures or with instanceIds alone."""
    for number, name in enumerate(NAMES):
        city = name.split("_")[0]
        for folder in (path / "leftImg8bit" / "val" / city, path / "gtFine" / "val" / city):
            folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph(number)).save(
            path / "leftImg8bit" / "val" / city / f"{name}_leftImg8bit.png"
        )
        instances = Image.fromarray(scene(number).astype(np.uint16))
        instances.save(path / "gtFine" / "val" / city / f"{name}_gtFine_instanceIds.png")
    if prepared:
        labels = path / "gtFine" / "cityscapes_panoptic_val"
        _write_labels(labels.with_suffix(".json"), labels, NAMES, "_gtFine_panoptic.png")
    return path


def _write(path: Path, index: Path, photographs: Path, labels: Path) -> Path:
    photographs.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        Image.fromarray(photograph(number)).save(photographs / f"{name}.png")
    index.parent.mkdir(parents=True, exist_ok=True)
    _write_labels(index, labels, range(1, len(NAMES) + 1), ".png")
    return path


def _write_labels(index: Path, labels: Path, numbers: Sequence[object], suffix: str) -> None:
    labels.mkdir(parents=True)
    annotations = []
    for number, (image, name) in enumerate(zip(numbers, NAMES, strict=True)):
        ids = scene(number)
        Image.fromarray(ids_to_rgb(ids)).save(labels / f"{name}{suffix}")
        annotations.append(
            {"image_id": image, "file_name": f"{name}{suffix}", "segments_info": segments(ids)}
        )
    document = {
        "images": [
            {"id": image, "file_name": f"{name}.png"} for image, name in zip(numbers, NAMES, strict=True)
        ],
        "annotations": annotations,
        "categories": [
            {"id": c.id, "name": c.name, "isthing": int(c.isthing)} for c in CATEGORIES if not c.isvoid
        ],
    }
    index.write_text(json.dumps(document))


def answered(path: Path, maps: Mapping[str, Ids], scores: Mapping[int, float] | None = None) -> Answers:
    """Keep answers given in the scenes' numbers; 0 is void."""
    answers = Answers.open(path, IDENTITY)
    for name, ids in maps.items():
        panoptic = panoptic_of(ids, [_segment(number) for number in np.unique(ids).tolist() if number])
        category = np.where(ids >= 1000, ids // 1000, ids)
        classes = np.vectorize(lambda number: INDEX_OF.get(number, 3), otypes=[np.uint8])(category)
        found = {s.id: (scores or {}).get(s.id, 0.5) for s in panoptic.segments if s.isthing}
        answers.keep(name, panoptic, Reading(classes, found))
    return answers


def _segment(number: int) -> Segment:
    category_id = number // 1000 if number >= 1000 else number
    index = INDEX_OF[category_id]
    category = CATEGORIES[index]
    return Segment(
        id=number,
        category_id=category_id,
        class_index=index,
        label=category.name,
        isthing=category.isthing,
        score=1.0,
        area=1,
        bbox=(0, 0, 1, 1),
        center=(0.0, 0.0),
    )
