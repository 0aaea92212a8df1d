"""The nearest center, by tiles and by all."""

import numpy as np
import pytest
import torch

from model import grouping as reference
from service.pipeline.kernels.compiler import entry
from service.pipeline.kernels.nearest import Centers, lay_tiles, nearest


@entry
def number(centers: Centers, y: np.ndarray, x: np.ndarray, numbers: np.ndarray) -> None:
    for place in range(y.size):
        numbers[place] = nearest(centers, y[place], x[place])


@pytest.mark.parametrize("count", [1, 30, 150])  # one tile lists 64 centers at most
def test_votes_go_to_the_same_center_as_in_the_reference_ties_too(count: int) -> None:
    rng = np.random.default_rng(count)
    centers = np.unique(rng.integers(0, 60, (count, 2)), axis=0)
    votes = (rng.integers(-800, 1400, (2, 50, 60)) / 4).astype(
        np.float32
    )  # inside of the tiles and far outside
    y, x = centers.astype(np.float32).T.copy()
    found = np.empty(3000, np.int32)

    number(lay_tiles(y, x, 60, 60), votes[0].ravel(), votes[1].ravel(), found)

    expected = reference.nearest_center(torch.from_numpy(centers), torch.from_numpy(votes))
    assert np.array_equal(found.reshape(50, 60) + 1, expected.numpy())
