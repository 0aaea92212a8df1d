"""Soundness: heads that are no numbers are found, wherever they stand."""

from typing import Literal

import numpy as np
import pytest

from service.backends import Heads
from service.pipeline.soundness import HeadsNotFinite, check_finite


def heads() -> Heads:
    return Heads(*(np.ones((1, channels, 6, 8), np.float32) for channels in (5, 1, 2)))


def test_numbers_are_sound_however_large() -> None:
    found = heads()
    found.semantic[:] = np.finfo(np.float32).max

    check_finite(found)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["semantic", "center", "offset"])
def test_one_value_that_is_no_number_is_told_with_its_head(
    name: Literal["semantic", "center", "offset"], value: float
) -> None:
    found = heads()
    head = getattr(found, name)
    head[0, 0, 3, 4] = value

    with pytest.raises(HeadsNotFinite, match=f"1 of {head.size} values of the head {name}"):
        check_finite(found)
