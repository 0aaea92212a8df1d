"""Truth and answers in COCO's panoptic format, as every program that measures PQ reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model.bundle import CategorySpec
from service.evaluation.answers import TRUTH, Answer
from service.evaluation.judging import other_id
from service.evaluation.truth import Truth
from service.pipeline.encode import ids_to_rgb, to_json

TRUTH_INDEX, ANSWER_INDEX = "truth.json", "panoptic.json"


def write_truth(path: Path, name: str, truth: Truth) -> None:
    """Write a photograph's truth, as it is judged, into an evaluation's directory."""
    Image.fromarray(ids_to_rgb(truth.ids)).save(path / TRUTH / f"{name}.png", compress_level=1)


def write_indices(
    path: Path, judged: Sequence[tuple[Answer, Truth]], categories: Sequence[CategorySpec]
) -> None:
    """Write the indices of truth and answers, photographs numbered from 1."""
    numbered = list(enumerate(judged, start=1))
    shared = {
        "images": [
            {"id": number, "file_name": answer.name, "height": answer.size[0], "width": answer.size[1]}
            for number, (answer, _) in numbered
        ],
        "categories": _known(categories),
    }
    truths = [_annotation(number, answer, _segments(truth)) for number, (answer, truth) in numbered]
    answers = [_annotation(number, answer, answer.segments) for number, (answer, _) in numbered]
    (path / TRUTH_INDEX).write_bytes(to_json({**shared, "annotations": truths}))
    (path / ANSWER_INDEX).write_bytes(to_json({**shared, "annotations": answers}))


def _known(categories: Sequence[CategorySpec]) -> list[dict[str, Any]]:
    """COCO's categories: the bundle's but those answered as void, and one for what is known to be none of them."""
    rows = [{"id": c.id, "name": c.name, "isthing": int(c.isthing)} for c in categories if not c.isvoid]
    return [*rows, {"id": other_id(categories), "name": "none of these", "isthing": 0}]


def _annotation(number: int, answer: Answer, segments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"image_id": number, "file_name": f"{answer.name}.png", "segments_info": segments}


def _segments(truth: Truth) -> list[dict[str, Any]]:
    present, areas = np.unique(truth.ids, return_counts=True)
    area = dict(zip(present.tolist(), areas.tolist(), strict=True))
    return [
        {"id": s.id, "category_id": s.category_id, "iscrowd": int(s.iscrowd), "area": area.get(s.id, 0)}
        for s in truth.segments
    ]
