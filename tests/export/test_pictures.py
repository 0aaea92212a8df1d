"""Photographs are brought to the buckets as the service brings them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export.goldens import decode_ids, encode_labels
from export.pictures import Photograph, cover, fit, read_photograph

PAD = (127, 127, 127)


@pytest.mark.parametrize(
    ("size", "bucket", "fitted"),
    [
        ((96, 192), (64, 96), (48, 96)),
        ((192, 96), (96, 64), (96, 48)),
        ((30, 30), (64, 96), (64, 64)),
        ((1, 1000), (64, 96), (1, 96)),
    ],
    ids=str,
)
def test_a_photograph_goes_where_it_is_larger(
    size: tuple[int, int], bucket: tuple[int, int], fitted: tuple[int, int]
) -> None:
    picture = fit(red(size), ((64, 96), (96, 64)), PAD)

    assert picture.image.shape == (*bucket, 3)
    assert picture.sizes.fitted == fitted


def test_padding_lies_at_bottom_and_right() -> None:
    picture = fit(red((32, 96)), ((64, 96),), PAD)

    assert (picture.image[:32] == (255, 0, 0)).all()
    assert (picture.image[32:] == PAD).all()


def test_a_cover_has_exactly_the_buckets_size() -> None:
    picture = cover(red((100, 300)), (64, 96))

    assert picture.image.shape == (64, 96, 3)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.new("RGB", (20, 10)).save(tmp_path / "photo.jpg", exif=exif)

    assert read_photograph(tmp_path / "photo.jpg").image.size == (10, 20)


def test_labels_survive_the_panoptic_picture() -> None:
    labels = torch.tensor([[-1, 0, 11001], [70000, 254, 255]])

    ids = decode_ids(encode_labels(labels))

    assert np.array_equal(ids, labels.numpy() + 1)


def red(size: tuple[int, int]) -> Photograph:
    return Photograph("red", Image.new("RGB", size[::-1], (255, 0, 0)))
