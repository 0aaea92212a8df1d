"""Fitting: which bucket, what size, and where the padding lies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.fit import choose_bucket, fit, fitted_size, resize

BUCKETS = ((384, 512), (512, 384), (448, 448))
SIDES = st.integers(1, 6000)


@pytest.mark.parametrize(
    ("photograph", "bucket"),
    [
        ((768, 1024), (384, 512)),
        ((1024, 768), (512, 384)),
        ((500, 500), (448, 448)),
        ((10, 4000), (384, 512)),
    ],
)
def test_the_bucket_that_gives_the_larger_picture_is_chosen(
    photograph: tuple[int, int], bucket: tuple[int, int]
) -> None:
    assert choose_bucket(photograph, BUCKETS) == bucket


def test_of_buckets_with_equal_pictures_the_one_with_less_padding_is_chosen() -> None:
    assert choose_bucket((100, 100), ((64, 128), (64, 96))) == (64, 96)


@given(SIDES, SIDES)
def test_a_fitted_photograph_keeps_its_shape_and_stays_in_its_bucket(rows: int, columns: int) -> None:
    bucket = choose_bucket((rows, columns), BUCKETS)
    scale = min(bucket[0] / rows, bucket[1] / columns)

    fitted = fitted_size((rows, columns), bucket)

    assert 1 <= fitted[0] <= bucket[0]
    assert 1 <= fitted[1] <= bucket[1]
    assert abs(fitted[0] - max(1, rows * scale)) <= 0.5
    assert abs(fitted[1] - max(1, columns * scale)) <= 0.5


def test_the_padding_lies_at_bottom_and_right() -> None:
    picture, sizes = fit(np.full((50, 200, 3), 9, np.uint8), (96, 128), (1, 2, 3))

    assert sizes.fitted == (32, 128)
    assert (picture[:32] == 9).all()
    assert (picture[32:] == (1, 2, 3)).all()


def test_a_photograph_of_the_buckets_size_is_left_as_it_is() -> None:
    photograph = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)

    assert np.array_equal(fit(photograph, (96, 128), (0, 0, 0))[0], photograph)


def test_shrinking_averages_what_it_leaves_out() -> None:
    stripes = np.zeros((800, 800, 3), np.uint8)
    stripes[:, ::2] = 255

    picture, _ = fit(stripes, (100, 100), (0, 0, 0))

    assert np.abs(picture.astype(int) - 127).max() <= 8  # unfiltered it would be 127


def test_a_part_of_a_pixel_at_the_edge_counts_as_a_part() -> None:
    ramp = np.repeat(np.arange(0, 240, 2, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(40, axis=0)

    cut = resize(ramp, (20, 30), (0, 0, 60.5, 40))

    assert np.abs(cut[0, :, 0] - ((np.arange(30) + 0.5) * 60.5 / 30 - 0.5) * 2)[2:-2].max() <= 1


def test_a_reduced_copy_is_fitted_as_the_photograph_that_it_stands_for() -> None:
    picture, sizes = fit(np.full((100, 50, 3), 9, np.uint8), (96, 128), (0, 0, 0), photograph=(201, 100))

    assert sizes.output == (201, 100)
    assert sizes.fitted == fitted_size((201, 100), (96, 128))
    assert (picture[:, : sizes.fitted[1]] == 9).all()


def test_a_photograph_is_fitted_into_its_place_in_a_batch() -> None:
    batch = np.full((2, 96, 128, 3), 77, np.uint8)
    photograph = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)

    fit(photograph, (96, 128), (1, 2, 3), out=batch[1])

    assert np.array_equal(batch[1], fit(photograph, (96, 128), (1, 2, 3))[0])
    assert (batch[0] == 77).all()
