"""Peaks: all are found however much of the map is hot, and however many there are."""

import cv2
import numpy as np
import pytest

from service.pipeline.kernels.axis import axis
from service.pipeline.kernels.peaks import find_peaks
from service.pipeline.kernels.squares import lay_squares

CELLS, SIZE = (30, 40), (120, 160)


@pytest.mark.parametrize("reach", [0, 3])
def test_where_all_is_hot_every_highest_pixel_of_its_window_is_found(reach: int) -> None:
    """Both rooms are too small at first: all blocks are hot, and without a window every pixel is a peak."""
    heat = np.random.default_rng(0).uniform(0.2, 1, CELLS).astype(np.float32)
    rows, columns = (
        axis(cells, (side, side, side), stride=4, align_corners=False, resized=False, grid="output")
        for cells, side in zip(CELLS, SIZE, strict=True)
    )

    y, x, values = find_peaks(heat, rows, columns, lay_squares(rows, columns), 0.1, reach)

    enlarged = cv2.resize(heat, SIZE[::-1], interpolation=cv2.INTER_LINEAR)
    highest = cv2.dilate(enlarged, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    assert set(zip(y.tolist(), x.tolist(), strict=True)) == set(map(tuple, np.argwhere(enlarged == highest)))
    np.testing.assert_allclose(values, enlarged[y, x], atol=1e-6)
