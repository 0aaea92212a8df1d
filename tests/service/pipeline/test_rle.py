"""RLE: the bytes are those of pycocotools, its masks taken one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from service.pipeline.encode import rle_masks
from service.pipeline.rle import compressed_masks
from service.pipeline.segments import Segment

MAPS = arrays(
    np.int32,
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    elements=st.sampled_from([0, 1, 2, 3001, 1 << 23]),
)


def by_coco(ids: np.ndarray, segment: int) -> bytes:
    return coco.encode(np.asfortranarray(ids == segment))["counts"]


@given(MAPS)
def test_small_maps_of_every_kind_give_its_bytes(ids: np.ndarray) -> None:
    wanted = [1, 2, 3001, 1 << 23]  # also those that the map lacks

    assert compressed_masks(ids, wanted) == [by_coco(ids, segment) for segment in wanted]


@pytest.mark.parametrize("seed", range(4))
def test_maps_of_long_and_short_runs_give_its_bytes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = np.full((301, 517), 7, np.int32)
    for segment in range(40):
        y, x = rng.integers(0, 300), rng.integers(0, 516)
        ids[y : y + rng.integers(1, 200), x : x + rng.integers(1, 200)] = segment * 1000
    ids[rng.random(ids.shape) < 0.01] = 5
    wanted = np.unique(ids)[1:].tolist()

    assert compressed_masks(ids, wanted) == [by_coco(ids, segment) for segment in wanted]


@pytest.mark.parametrize("segment", [9, 8])
def test_counts_of_many_digits_give_its_bytes(segment: int) -> None:
    ids = np.full((2000, 3000), 9, np.int32)
    ids[1999, 2999] = 8

    assert compressed_masks(ids, [segment]) == [by_coco(ids, segment)]


def test_no_ids_are_no_masks() -> None:
    assert compressed_masks(np.zeros((3, 3), np.int32), []) == []


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools' own
def test_a_mask_is_told_as_pycocotools_reads_it() -> None:
    ids = np.zeros((4, 6), np.int32)
    ids[1:3, 2:5] = 11
    segment = Segment(11, 1, 0, "road", False, 1.0, 6, (2, 1, 3, 2), (3.0, 1.5))

    (told,) = rle_masks(ids, [segment])

    assert told["size"] == [4, 6]
    assert np.array_equal(coco.decode(told) != 0, ids == 11)
    assert coco.toBbox(told).tolist() == [2, 1, 3, 2]
