"""Figures: PQ, IoU and instance AP, all computed by hotcoco; here stands what they are computed of.

PQ is read from the files of `exchange`, so that any other program can repeat it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hotcoco.metrics import mean_iou
from hotcoco.panoptic import PanopticEval
from hotcoco.semantic import SemanticEval
from numpy.typing import NDArray
from tqdm import tqdm

from model.bundle import CategorySpec
from model.curriculum import IGNORE
from service.evaluation.answering import LeftOut
from service.evaluation.answers import PANOPTIC, TRUTH, Answer, Answers
from service.evaluation.exchange import ANSWER_INDEX, TRUTH_INDEX, write_indices, write_truth
from service.evaluation.instances import Instances
from service.evaluation.judging import Judged, Judging
from service.evaluation.truth import Item, Truth, TruthError, check_size


@dataclass(frozen=True)
class ClassFigures:
    """Figures of one class, 0 to 1; None where there is nothing to judge."""

    id: int
    name: str
    isthing: bool
    pq: float | None
    sq: float | None
    rq: float | None
    iou: float | None
    ap: float | None
    matched: int  # segments
    missed: int
    invented: int


@dataclass(frozen=True)
class Figures:
    """Figures of an evaluation."""

    photographs: int
    classes: tuple[ClassFigures, ...]  # those of the bundle that are not answered as void, in its order
    mapped: bool  # means leave out classes that the truth does not show
    ap50: float | None
    confusion: NDArray[np.uint64]  # (C, C) pixels; row the truth, all classes of the bundle

    def mean(self, what: str, isthing: bool | None = None) -> float | None:
        """Mean of `pq`, `sq`, `rq`, `iou` or `ap` over the classes that count, or over things or stuff alone."""
        values = [getattr(row, what) for row in self.counted if isthing in (None, row.isthing)]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    @property
    def counted(self) -> tuple[ClassFigures, ...]:
        """Classes that means are taken over."""
        return tuple(row for row in self.classes if not self.mapped or row.matched + row.missed)


def measure(
    items: Sequence[Item], answers: Answers, judging: Judging, categories: Sequence[CategorySpec]
) -> tuple[Figures | None, list[LeftOut]]:
    """Judge all kept answers; no figures where none can be judged.

    Photographs whose truth cannot be used are left out.
    """
    semantic = SemanticEval(len(categories), ignore_index=IGNORE)
    instances = Instances([category for category in categories if category.isthing], judging.forgives_void)
    judged: list[tuple[Answer, Truth]] = []
    left_out = []
    for item in tqdm(items, desc="judging", unit="photograph", disable=None):
        if (answer := answers.kept.get(item.name)) is None:
            continue
        try:
            found = _judge(item, answer, answers, judging)
        except TruthError as error:
            left_out.append(LeftOut(item.name, str(error)))
            continue
        semantic.update(found.classes, answers.classes(item.name))
        instances.add(len(judged) + 1, found.truth, answers.ids(item.name), answer.segments)
        write_truth(answers.path, answer.name, found.truth)
        judged.append((answer, found.truth))
    if not judged:
        return None, left_out
    write_indices(answers.path, judged, categories)
    return _figures(answers.path, semantic, instances, categories, judging.mapped, len(judged)), left_out


def _judge(item: Item, answer: Answer, answers: Answers, judging: Judging) -> Judged:
    truth = item.read()
    check_size(truth, answer.size)
    return judging.read(truth, answers.classes(item.name))


def _figures(
    path: Path,
    semantic: SemanticEval,
    instances: Instances,
    categories: Sequence[CategorySpec],
    mapped: bool,
    photographs: int,
) -> Figures:
    panoptic = PanopticEval(
        path / TRUTH_INDEX, path / ANSWER_INDEX, gt_folder=path / TRUTH, pred_folder=path / PANOPTIC
    )
    panoptic.evaluate()
    quality = panoptic.results()["per_class"]
    confusion = semantic.confusion()
    ious = mean_iou(confusion)["IoU"]
    precision = instances.precision()
    rows = []
    for index, category in enumerate(categories):
        if category.isvoid:
            continue
        row = quality[category.id]
        rows.append(
            ClassFigures(
                id=category.id,
                name=category.name,
                isthing=category.isthing,
                pq=_known_figure(row["pq"]),
                sq=_known_figure(row["sq"]),
                rq=_known_figure(row["rq"]),
                iou=_known_figure(ious[index]),
                ap=precision.ap.get(category.id),
                matched=row["tp"],
                missed=row["fn"],
                invented=row["fp"],
            )
        )
    return Figures(photographs, tuple(rows), mapped, precision.ap50, confusion)


def _known_figure(value: float) -> float | None:
    """None for the -1 and the NaN of what was not computed."""
    return float(value) if value >= 0 else None
