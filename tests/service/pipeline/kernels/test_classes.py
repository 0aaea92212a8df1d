"""The ranking: equal to what a sort and a softmax say, for every number of cells and classes."""

import numpy as np
import pytest

from service.pipeline.kernels.arithmetic import exponential
from service.pipeline.kernels.classes import RUN, Ranking, rank

SIZES = ((1, 1), (1, 15), (4, 4), (3, 6), (7, 11), (16, 32), (33, 31))


def ranked(semantic: np.ndarray) -> Ranking:
    _, *size = semantic.shape
    return rank(semantic, np.zeros(size, np.float32), np.zeros((2, *size), np.float32))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", [1, 2, 3, 19, 133])
@pytest.mark.parametrize("spread", [0.0, 3.0, 80.0])
def test_every_cell_is_ranked_as_by_sorting(size: tuple[int, int], classes: int, spread: float) -> None:
    random = np.random.default_rng(classes)
    semantic = (random.standard_normal((classes, *size)) * spread).round(1).astype(np.float32)  # with ties
    ordered = np.sort(semantic, axis=0)[::-1]
    exponentials = np.exp((semantic - ordered[0]).astype(np.float64))
    lowest = np.full(size, -np.inf, np.float32)

    found = ranked(semantic)

    np.testing.assert_array_equal(found.best, semantic.argmax(axis=0))
    for place, values in enumerate((found.logits, found.seconds, found.thirds)):
        np.testing.assert_array_equal(values, ordered[place] if place < classes else lowest)
    np.testing.assert_allclose(found.shares, 1 / exponentials.sum(axis=0), rtol=4e-6)
    assert found.margin == np.float32(2.0**-17) * np.abs(ordered[0]).max()
    assert found.sound


@pytest.mark.parametrize("size", SIZES)
def test_of_many_classes_each_run_of_cells_has_its_peaks(size: tuple[int, int]) -> None:
    semantic = np.random.default_rng(5).standard_normal((133, *size)).astype(np.float32)
    cells = semantic.reshape(133, -1)

    peaks = ranked(semantic).peaks

    assert len(peaks) == -(-cells.shape[1] // RUN)
    for number, found in enumerate(peaks):
        first = max(min(number * RUN, cells.shape[1] - RUN), 0)
        np.testing.assert_array_equal(found, cells[:, first : first + RUN].max(axis=1))


def test_few_classes_are_ranked_in_place() -> None:
    assert ranked(np.zeros((19, 33, 31), np.float32)).peaks.shape == (0, 19)


def test_shares_are_summed_as_scores_are_told_to_the_last_bit() -> None:
    values = np.linspace(-140, 0, 4096, dtype=np.float32)
    told = np.array([exponential(value) for value in values], np.float32)

    found = ranked(np.stack([np.zeros_like(values), values])[:, None])

    np.testing.assert_array_equal(found.shares[0], np.float32(1) / (np.float32(1) + told))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("number", [0, 3, 18])
def test_a_value_that_is_no_number_is_seen_at_every_cell(value: float, number: int) -> None:
    semantic = np.zeros((19, 3, 7), np.float32)

    for cell in np.ndindex(3, 7):
        unsound = semantic.copy()
        unsound[number, *cell] = value
        assert not ranked(unsound).sound
