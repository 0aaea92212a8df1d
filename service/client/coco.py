"""COCO: answers as a data set in the panoptic format, as panopticapi and its kin read it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from service.client.results import Segmentation


def write_coco(
    out: Path, answers: Mapping[str, Segmentation], categories: Sequence[Mapping[str, Any]]
) -> Path:
    """Write `panoptic.json` and a folder `panoptic` of PNGs.

    Args:
        out: a folder; made where it is missing.
        answers: by the names of the photographs' files, in the order of their numbers.
        categories: of `Client.model`, `model["categories"]`.

    Returns: where the JSON lies.
    """
    folder = out / "panoptic"
    folder.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number, (name, answer) in enumerate(answers.items(), start=1):
        png = f"{number:012}.png"  # as COCO's own; two photographs' names may differ in their suffix alone
        (folder / png).write_bytes(answer.png)
        images.append(_image(number, name, answer))
        annotations.append({"image_id": number, "file_name": png, "segments_info": _segments(answer)})
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [_category(one) for one in categories],
    }
    path = out / "panoptic.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def _image(number: int, name: str, answer: Segmentation) -> dict[str, Any]:
    rows, columns = answer.ids.shape
    return {"id": number, "file_name": name, "width": columns, "height": rows}


def _segments(answer: Segmentation) -> list[dict[str, Any]]:
    return [
        {
            "id": segment.id,
            "category_id": segment.category_id,
            "area": segment.area,
            "bbox": list(segment.bbox),
            "iscrowd": 0,
        }
        for segment in answer.segments
    ]


def _category(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": fields["id"],
        "name": fields["name"],
        "supercategory": fields["name"],
        "isthing": int(fields["isthing"]),
        "color": list(fields["color"]),
    }
