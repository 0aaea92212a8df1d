"""Judging: a data set's truth in the classes of a bundle.

Where the data set's classes are the bundle's own, the truth stays as it is. Where they are others, a curriculum maps
them, as in training's validation: what it leaves open is decided by the answer, what it does not know is void, and
what it knows to be none of the bundle's classes is a class of its own, where every answer is a false one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.bundle import CategorySpec
from model.curriculum import IGNORE, load_curriculum
from model.curriculum.truth import decide, teach
from service.evaluation.truth import DataSet, DataSetError, TrueSegment, Truth

Classes = NDArray[np.uint8]


@dataclass(frozen=True)
class Judged:
    """What a photograph's answer is compared with, in the bundle's category ids."""

    truth: Truth
    classes: Classes  # (H, W) class indices, IGNORE where not known


@dataclass(frozen=True)
class Judging:
    """How a data set's truth is read."""

    read: Callable[[Truth, Classes], Judged]  # the second: (H, W) predicted class indices
    mapped: bool  # means are over the classes that the truth shows, as the data set may know fewer than the bundle
    forgives_void: bool


def judge_directly(data: DataSet, categories: Sequence[CategorySpec]) -> Judging:
    """Judge by the data set's own classes.

    Raises: DataSetError: the bundle does not have one of them.
    """
    own = {category.id: index for index, category in enumerate(categories)}
    names = {category.id: category.name for category in categories}
    for number, name in data.categories.items():
        if names.get(number) != name:
            raise DataSetError(
                f"{data.path} labels {name!r} as category {number}, the bundle has "
                f"{'no such category' if number not in names else repr(names[number]) + ' there'}. Map its classes "
                "with --curriculum and --data-set, or evaluate a bundle of its label set."
            )

    def read(truth: Truth, semantic: Classes) -> Judged:
        index_of = {segment.id: own[segment.category_id] for segment in truth.segments}
        present, flat = np.unique(truth.ids, return_inverse=True)
        classes = np.array([index_of.get(number, IGNORE) for number in present.tolist()], np.uint8)
        return Judged(truth, classes[flat].reshape(truth.ids.shape))

    return Judging(read, mapped=False, forgives_void=data.forgives_void)


def judge_by_curriculum(
    data: DataSet, categories: Sequence[CategorySpec], name: str, data_set: str
) -> Judging:
    """Judge by a curriculum's mapping of the data set's classes.

    Raises: DataSetError: there is no such mapping, or it is for other classes than the bundle's.
    """
    try:
        curriculum = load_curriculum(name)
    except ValueError as error:
        raise DataSetError(f"--curriculum {name}: {error}.") from error
    if data_set not in curriculum.data_sets:
        known = ", ".join(sorted(curriculum.data_sets))
        raise DataSetError(
            f"--data-set {data_set}: the curriculum {name} does not know it; it knows {known}."
        )
    if [c.name for c in curriculum.categories] != [c.name for c in categories]:
        raise DataSetError(
            f"The curriculum {name} maps to other classes than the bundle's. Evaluate a bundle of its own."
        )
    teaching, things = curriculum.data_sets[data_set], curriculum.things()

    def read(truth: Truth, semantic: Classes) -> Judged:
        rows = [{"id": s.id, "category_id": s.category_id, "iscrowd": s.iscrowd} for s in truth.segments]
        codes, instances = teach(truth.ids, rows, data.categories, teaching, things)
        classes = decide(codes, instances, semantic, curriculum)
        return Judged(_segmented(classes, instances, categories), classes.astype(np.uint8))

    return Judging(read, mapped=True, forgives_void=True)


def other_id(categories: Sequence[CategorySpec]) -> int:
    """The category id of what is known to be none of a bundle's classes."""
    return max(category.id for category in categories) + 1


def _segmented(
    classes: NDArray[np.int64], instances: NDArray[np.int16], categories: Sequence[CategorySpec]
) -> Truth:
    """Make segments of classes and instances; crowds and specks become void.

    Pixels of a void class are a crowd of a category of their own: they are neither missed nor forgiven.
    """
    known = (classes != IGNORE) & (instances >= 0)
    pairs = np.where(known, classes << 16 | instances, -1)
    present, flat = np.unique(pairs, return_inverse=True)
    numbers = np.cumsum(present >= 0) * (present >= 0)
    segments = []
    for number, pair in zip(numbers.tolist(), present.tolist(), strict=True):
        if pair >= 0:
            category = categories[pair >> 16]
            isvoid = category.isvoid
            segments.append(
                TrueSegment(number, other_id(categories) if isvoid else category.id, iscrowd=isvoid)
            )
    return Truth(numbers[flat].reshape(classes.shape).astype(np.int32), tuple(segments))
