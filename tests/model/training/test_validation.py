from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor

from model.curriculum import IGNORE, load_curriculum
from model.network.panoptic_deeplab import PanopticDeepLab
from model.training import validation
from model.training.datasets import PanopticFolder, Sample
from model.training.validation import Figures, decide, validate
from model.variants import EFFICIENTNET_LITE0

STREET = load_curriculum("street")


class Told:
    """Stands where the network stands, for a validation whose answers are given."""

    variant = EFFICIENTNET_LITE0

    def eval(self) -> "Told":
        return self


def truth_as_answer(sample: Sample) -> tuple[Tensor, Tensor]:
    semantic = sample.codes.long()
    semantic[semantic >= len(STREET.categories)] = 16
    labels = semantic * 1000 + sample.instances.clamp(min=0)
    labels[semantic == 16] = -1
    return semantic, labels


@pytest.fixture
def folder(data: Path) -> PanopticFolder:
    return PanopticFolder(data / "scenes", STREET, "coco")


def judge(
    folder: PanopticFolder,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Tensor, Tensor], None] = lambda semantic, labels: None,
) -> Figures:
    answers = []
    for index in range(len(folder)):
        semantic, labels = truth_as_answer(folder[index])
        change(semantic, labels)
        answers.append((semantic, labels))
    told = iter(answers)
    monkeypatch.setattr(validation, "answer", lambda *_: next(told))
    return validate(cast(PanopticDeepLab, Told()), folder, STREET)


def test_a_perfect_answer_scores_one(folder: PanopticFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = judge(folder, monkeypatch)
    assert {c.name for c in figures.classes} == {"road", "sky", "car"}
    assert [figures.mean(what) for what in ("iou", "pq", "sq", "rq")] == [1, 1, 1, 1]


def test_an_empty_answer_scores_nothing(folder: PanopticFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(semantic: Tensor, labels: Tensor) -> None:
        semantic[:], labels[:] = 16, -1

    figures = judge(folder, monkeypatch, empty)
    assert figures.mean("pq") == figures.mean("iou") == 0


def test_a_car_cut_in_two_loses_recognition(folder: PanopticFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(semantic: Tensor, labels: Tensor) -> None:
        car = labels == 11001
        columns = car.any(dim=0).nonzero().flatten()
        right = torch.zeros_like(car)
        right[:, columns[len(columns) // 3 :]] = True
        labels[car & right] = 11002

    cars = next(c for c in judge(folder, monkeypatch, cut).classes if c.name == "car")
    assert cars.iou == 1
    assert 0.5 < cars.sq < 0.75
    assert cars.rq == pytest.approx(1 / 1.5)


def test_a_building_seen_where_other_is_known_is_a_false_one(
    folder: PanopticFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def invent(semantic: Tensor, labels: Tensor) -> None:
        pizza = (slice(45, 50), slice(2, 8))
        semantic[pizza], labels[pizza] = 0, 0

    roads = next(c for c in judge(folder, monkeypatch, invent).classes if c.name == "road")
    assert roads.iou < 1


def test_a_crowd_is_neither_missed_nor_invented(
    folder: PanopticFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    cars = next(c for c in judge(folder, monkeypatch).classes if c.name == "car")
    assert cars.segments == len(folder)


def test_a_union_is_what_most_of_its_segment_was_given() -> None:
    code = len(STREET.categories) + STREET.unions.index((7, 8))
    codes = torch.full((4, 4), code, dtype=torch.uint8)
    codes[0] = IGNORE
    sample = Sample(torch.zeros(3, 4, 4), codes, torch.zeros(4, 4, dtype=torch.int16), 1.0)
    semantic = torch.full((4, 4), 8)
    semantic[1, :2] = 7
    assert decide(sample, semantic, STREET)[1:].unique().tolist() == [8]


def test_a_union_that_was_missed_is_its_likeliest_class() -> None:
    code = len(STREET.categories) + STREET.unions.index((7, 8))
    codes = torch.full((4, 4), code, dtype=torch.uint8)
    sample = Sample(torch.zeros(3, 4, 4), codes, torch.zeros(4, 4, dtype=torch.int16), 1.0)
    assert decide(sample, torch.zeros(4, 4, dtype=torch.int64), STREET).unique().tolist() == [7]
