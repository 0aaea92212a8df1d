"""Figures of known answers, and a second library on the same ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from cityscapesscripts.evaluation.evalPanopticSemanticLabeling import average_pq, pq_compute_single_core
from hotcoco import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics import jaccard_score

from model.bundle import CategorySpec
from model.categories import load_categories
from model.curriculum import load_curriculum
from model.training import validation
from model.training.datasets import PanopticFolder
from model.variants import EFFICIENTNET_LITE0
from service.evaluation.answers import Answers
from service.evaluation.judging import judge_by_curriculum, judge_directly
from service.evaluation.layouts import open_data_set
from service.evaluation.measures import Figures, measure
from service.evaluation.scores import Reading
from service.evaluation.truth import DataSet, DataSetError
from service.pipeline.panoptic import panoptic_of
from service.pipeline.segments import Segment
from tests.model.training.conftest import CATEGORIES as SCENE_CATEGORIES
from tests.model.training.conftest import write_scene
from tests.service.evaluation.sets import (
    IDENTITY,
    INDEX_OF,
    NAMES,
    Ids,
    answered,
    scene,
    write_cityscapes,
    write_coco,
    write_folder,
)
from tests.service.toy import CATEGORIES

PREPARED = "cityscapes"
WRITERS: dict[str, Callable[[Path], Path]] = {
    "folder": write_folder,
    "coco": write_coco,
    PREPARED: lambda path: write_cityscapes(path, prepared=True),
}
STREET = load_curriculum("street")


@pytest.fixture(params=WRITERS)
def data(request: pytest.FixtureRequest, tmp_path: Path) -> DataSet:
    return open_data_set(WRITERS[request.param](tmp_path / "data"))


def perfect(number: int) -> Ids:
    """The scene without what no answer has: the group of cars."""
    ids = scene(number)
    ids[ids == 26] = 0
    return ids


def wrong(number: int) -> Ids:
    """A car cut in two, one moved, one invented in the void, one in the group, a person missed, the sky too low."""
    ids = perfect(number)
    ids[28:40, :60] = 23
    ids[ids == 24002] = 11
    ids[56:80, 8:22] = 26007
    ids = np.where(np.roll(ids, 3 + 2 * number, axis=1) == 26001, 26001, np.where(ids == 26001, 7, ids))
    ids[:4, 50:80] = 26005
    ids[89:95, 5:30] = 26006
    ids[70:75, 90:95] = 26004
    return ids.astype(np.int32)


def judged(data: DataSet, path: Path, answer: Callable[[int], Ids], **options: Any) -> Figures:
    names = [item.name for item in data.items]
    answers = answered(path, {name: answer(number) for number, name in enumerate(names)}, **options)
    figures, left_out = measure(data.items, answers, judge_directly(data, CATEGORIES), CATEGORIES)
    assert figures is not None
    assert left_out == []
    return figures


def means(figures: Figures) -> list[float | None]:
    return [figures.mean(what) for what in ("pq", "sq", "rq", "iou", "ap")]


def test_a_perfect_answer_scores_100(data: DataSet, tmp_path: Path) -> None:
    figures = judged(data, tmp_path / "out", perfect)

    assert means(figures)[:3] == [1, 1, 1]
    assert means(figures)[4] == pytest.approx(1)


def test_every_pixel_right_is_an_iou_of_100(data: DataSet, tmp_path: Path) -> None:
    def with_group(number: int) -> Ids:
        return np.where(scene(number) == 26, 26009, scene(number)).astype(np.int32)

    assert judged(data, tmp_path / "out", with_group).mean("iou") == 1


def test_an_empty_answer_scores_0(data: DataSet, tmp_path: Path) -> None:
    figures = judged(data, tmp_path / "out", lambda number: np.zeros_like(scene(number)))

    assert means(figures) == [0, 0, 0, 0, 0]


def test_the_official_program_finds_the_same_pq(data: DataSet, tmp_path: Path) -> None:
    figures = judged(data, tmp_path / "out", wrong)

    truth, found = (
        json.loads((tmp_path / "out" / f"{name}.json").read_text()) for name in ("truth", "panoptic")
    )
    pairs = list(zip(truth["annotations"], found["annotations"], strict=True))
    categories = {row["id"]: row for row in truth["categories"]}
    folders = (str(tmp_path / "out" / name) for name in ("truth", "panoptic"))
    official = average_pq(pq_compute_single_core(0, pairs, *folders, categories), categories)

    assert 0 < (figures.mean("pq") or 0) < 1
    for title, isthing in (("All", None), ("Things", True), ("Stuff", False)):
        for what in ("pq", "sq", "rq"):
            assert figures.mean(what, isthing) == pytest.approx(official[title][what], abs=1e-12)


def test_the_official_program_finds_the_same_ap(data: DataSet, tmp_path: Path) -> None:
    scores = {26000: 0.9, 26001: 0.4, 26004: 0.7, 26005: 0.95, 26006: 0.8, 26007: -0.1}
    figures = judged(data, tmp_path / "out", wrong, scores=scores)

    official = official_ap(data, wrong, scores)

    assert 0 < (figures.mean("ap") or 0) < 1
    assert figures.mean("ap") == pytest.approx(official, abs=1e-12)


def official_ap(data: DataSet, answer: Callable[[int], Ids], scores: dict[int, float]) -> float:
    """COCO's AP by its own program; Cityscapes' void is a crowd of every class of things."""
    truth, found, images = [], [], []
    for number in range(len(NAMES)):
        images.append({"id": number, "height": 96, "width": 128})
        regions = [(s, scene(number) == s, int(s == 26)) for s in np.unique(scene(number)) if s >= 24]
        for segment, region, crowd in regions:
            truth.append((number, segment if crowd else segment // 1000, region, crowd))
        if data.forgives_void:
            truth += [(number, category, scene(number) == 0, 1) for category in (24, 26)]
        for segment in (s for s in np.unique(answer(number)) if s >= 1000):
            region = mask.encode((answer(number) == segment).astype(np.uint8))
            row = {"image_id": number, "category_id": int(segment // 1000), "segmentation": region}
            found.append({**row, "score": scores[int(segment)]})
    reference = COCO()
    reference.dataset = {
        "info": {},
        "images": images,
        "categories": [{"id": 24, "name": "person"}, {"id": 26, "name": "car"}],
        "annotations": [
            {
                "id": place,
                "image_id": number,
                "category_id": int(category),
                "iscrowd": crowd,
                "area": int(region.sum()),
                "bbox": [0, 0, 1, 1],
                "segmentation": mask.encode(region.astype(np.uint8)),
            }
            for place, (number, category, region, crowd) in enumerate(truth, start=1)
        ],
    }
    reference.createIndex()
    evaluation = COCOeval(reference, reference.loadRes(found), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


def test_another_library_finds_the_same_iou(data: DataSet, tmp_path: Path) -> None:
    figures = judged(data, tmp_path / "out", wrong)

    def classes(ids: Ids) -> list[int]:
        return [INDEX_OF.get(n // 1000 if n >= 1000 else n, 3) for n in ids.ravel().tolist()]

    truth = np.concatenate([classes(scene(number)) for number in range(len(NAMES))])
    found = np.concatenate([classes(wrong(number)) for number in range(len(NAMES))])
    known = np.concatenate([scene(number).ravel() > 0 for number in range(len(NAMES))])
    ious = jaccard_score(
        truth[known], found[known], labels=[INDEX_OF[row.id] for row in figures.classes], average=None
    )

    assert [row.iou for row in figures.classes] == pytest.approx(list(ious), abs=1e-12)


def test_a_class_of_another_label_set_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="labels 'road' as category 7, the bundle has no such category"):
        judge_directly(open_data_set(write_folder(tmp_path / "data")), CATEGORIES[1:])


@pytest.mark.parametrize(
    ("curriculum", "data_set", "words"),
    [
        ("rural", "camvid", "there are cityscapes, coco, street"),
        ("street", "kitti", "it knows camvid, coco"),
        ("street", "coco", "other classes"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(
    curriculum: str, data_set: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataSetError, match=words):
        judge_by_curriculum(open_data_set(write_folder(tmp_path / "data")), CATEGORIES, curriculum, data_set)


def test_a_mapped_data_set_has_the_figures_of_trainings_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "scenes"
    for part in ("images", "panoptic"):
        (folder / part).mkdir(parents=True)
    annotations = [write_scene(folder, number) for number in range(4)]
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in range(4)]
    index = {"images": images, "annotations": annotations, "categories": SCENE_CATEGORIES}
    (folder / "panoptic.json").write_text(json.dumps(index))
    answers = [street_answer(number) for number in range(4)]
    told = iter(
        (torch.from_numpy(classes.astype(np.int64)), torch.from_numpy(labels)) for classes, labels in answers
    )
    monkeypatch.setattr(validation, "answer", lambda *_: next(told))

    theirs = validation.validate(cast(Any, Told()), PanopticFolder(folder, STREET, "coco"), STREET)

    ours = street_figures(folder, tmp_path / "out", answers)
    assert {c.name for c in theirs.classes} == {c.name for c in ours.counted}
    for row in theirs.classes:
        twin = next(c for c in ours.counted if c.name == row.name)
        assert (twin.pq, twin.sq, twin.rq, twin.iou) == pytest.approx(
            (row.pq, row.sq, row.rq, row.iou), abs=1e-6
        )


class Told:
    """Stands where the network stands, for a validation whose answers are given."""

    variant = EFFICIENTNET_LITE0

    def eval(self) -> "Told":
        return self


def street_answer(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes and labels of an answer to training's scenes: void in places, a car half right, a false building."""
    classes = np.full((60, 80), 9, np.uint8)
    classes[28 + number :] = 0
    classes[20:30, :9] = 2
    classes[26:41, 14:33] = 11
    classes[44:50, :12] = 2
    classes[50:58, 60:75] = 11
    classes[:, 78:] = 16
    labels = classes.astype(np.int64) * 1000
    labels[classes == 11] += 1
    labels[50:58, 60:75] = 11002
    labels[classes == 16] = -1
    labels[40:44, 40:60] = -1
    return classes, labels


def street_figures(folder: Path, out: Path, given: list[tuple[np.ndarray, np.ndarray]]) -> Figures:
    street = load_categories("street")
    categories = [
        CategorySpec(id=c.id, name=c.name, isthing=c.isthing, color=c.color, isvoid=c.isvoid) for c in street
    ]
    data = open_data_set(folder)
    answers = Answers.open(out, IDENTITY)
    for item, (classes, labels) in zip(data.items, given, strict=True):
        present = sorted(set(np.unique(labels).tolist()) - {-1})
        segments = [street_segment(label, categories[label // 1000]) for label in present]
        panoptic = panoptic_of((labels + 1).astype(np.int32), segments)
        answers.keep(item.name, panoptic, Reading(classes, {s.id: 0.5 for s in segments if s.isthing}))
    judging = judge_by_curriculum(data, categories, "street", "coco")
    figures, _ = measure(data.items, answers, judging, categories)
    assert figures is not None
    return figures


def street_segment(label: int, category: CategorySpec) -> Segment:
    return Segment(
        id=label + 1,
        category_id=category.id,
        class_index=label // 1000,
        label=category.name,
        isthing=category.isthing,
        score=1.0,
        area=1,
        bbox=(0, 0, 1, 1),
        center=(0.0, 0.0),
    )
