"""Soundness: heads that are no numbers are found, wherever they stand, and never merged."""

from typing import Literal

import numpy as np
import pytest

from model.bundle import Bundle
from model.fit import Sizes
from service.pipeline.panoptic import Panoptic, merge_heads
from service.pipeline.soundness import HeadsNotFinite
from tests.service.pipeline.merging import Case, manifest_of, merging_of, smooth_heads

SIZE, CELLS = (28, 36), (7, 9)  # no multiple of the cells that are looked at together

Head = Literal["semantic", "center", "offset"]


def merged(case: Case, toy: Bundle) -> Panoptic:
    return merge_heads(case.heads, case.sizes, manifest_of(toy.manifest, case), case.merging)


def a_case() -> Case:
    return Case(smooth_heads(*CELLS), Sizes(SIZE, SIZE, SIZE), merging_of("input"))


@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_are_sound_however_large(sign: int, toy: Bundle) -> None:
    case = a_case()
    case.heads.semantic[:] = sign * np.finfo(np.float32).max
    case.heads.offset[:] = sign * np.finfo(np.float32).max

    assert merged(case, toy).ids.shape == SIZE


@pytest.mark.parametrize("place", [(0, 0), (3, 4), (6, 8)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["semantic", "center", "offset"])
def test_one_value_that_is_no_number_is_told_with_its_head(
    name: Head, value: float, place: tuple[int, int], toy: Bundle
) -> None:
    case = a_case()
    head = getattr(case.heads, name)
    head[0, -1, *place] = value

    with pytest.raises(HeadsNotFinite, match=f"returned 1 of {head.size} values of the head {name} as NaN"):
        merged(case, toy)


def test_all_heads_are_told_that_hold_such_values(toy: Bundle) -> None:
    case = a_case()
    case.heads.semantic[0, :, 2] = np.nan
    case.heads.offset[:] = np.inf

    with pytest.raises(
        HeadsNotFinite, match=r"153 of 1071 .* semantic, 126 of 126 values of the head offset"
    ):
        merged(case, toy)
