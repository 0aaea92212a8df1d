"""Selection: classes and tasks of a panoptic answer, beside the slow way over whole maps."""

import numpy as np
import pytest

from service.pipeline.panoptic import Panoptic, panoptic_of
from service.pipeline.segments import Segment
from service.pipeline.selection import Selection, Subtask, select

DIVISOR = 10
THINGS = {3, 4}


def panoptic(seed: int) -> Panoptic:
    """Noise of void, two stuff classes and things of two classes."""
    ids = np.random.default_rng(seed).choice(np.array([0, 1, 21, 32, 33, 42], np.int32), (7, 9))
    return panoptic_of(ids, [described(ids, int(number)) for number in np.unique(ids) if number])


def described(ids: np.ndarray, number: int) -> Segment:
    y, x = np.nonzero(ids == number)
    index = (number - 1) // DIVISOR
    box = (int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1)
    center = (float(x.mean()), float(y.mean()))
    return Segment(number, index, index, f"class {index}", index in THINGS, 0.5, len(y), box, center)


def select_slowly(whole: Panoptic, selection: Selection) -> np.ndarray:
    ids = np.zeros_like(whole.ids)
    for segment in whole.segments:
        if selection.classes is not None and segment.class_index not in selection.classes:
            continue
        if selection.subtask == "instance" and not segment.isthing:
            continue
        number = segment.class_index * DIVISOR + 1 if selection.subtask == "semantic" else segment.id
        ids[whole.ids == segment.id] = number
    return ids


@pytest.mark.parametrize("subtask", ["panoptic", "semantic", "instance"])
@pytest.mark.parametrize("classes", [None, (0,), (2, 3), ()])
def test_a_selection_equals_the_slow_one(subtask: Subtask, classes: tuple[int, ...] | None) -> None:
    whole = panoptic(seed=len(subtask))
    selection = Selection(classes, subtask)

    found = select(whole, selection, DIVISOR)

    expected = select_slowly(whole, selection)
    assert np.array_equal(found.ids, expected)
    assert found.segments == tuple(described(expected, int(each)) for each in np.unique(expected) if each)


def test_what_asks_for_all_costs_nothing() -> None:
    whole = panoptic(seed=0)

    assert select(whole, Selection(), DIVISOR) is whole


def test_an_answer_without_segments_stays_one() -> None:
    void = panoptic_of(np.zeros((2, 3), np.int32), ())

    for subtask in ("panoptic", "semantic", "instance"):
        found = select(void, Selection((1,), subtask), DIVISOR)
        assert not found.ids.any()
        assert found.segments == ()
