"""The panoptic PNG: ids, and what stands in its text."""

import json
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from service.pipeline.encode import MAX_ID, ids_to_rgb, panoptic_png, rgb_to_ids
from service.pipeline.panoptic import panoptic_of
from service.pipeline.segments import Segment, segments_info

SEGMENT = Segment(1001, 26, 5, "car", True, 0.87654321, 6, (1, 2, 3, 2), (2.25, 2.5))


@given(st.integers(0, MAX_ID))
def test_every_24_bit_id_survives_the_round_trip(segment_id: int) -> None:
    ids = np.full((2, 3), segment_id, np.int32)

    with Image.open(BytesIO(panoptic_png(panoptic_of(ids, [])))) as image:
        found = rgb_to_ids(np.asarray(image))

    assert np.array_equal(found, ids)


@pytest.mark.parametrize(
    ("segment_id", "rgb"), [(1, (1, 0, 0)), (256, (0, 1, 0)), (65536 + 512 + 3, (3, 2, 1))]
)
def test_an_id_is_written_as_coco_writes_it(segment_id: int, rgb: tuple[int, int, int]) -> None:
    assert tuple(ids_to_rgb(np.full((1, 1), segment_id, np.int32))[0, 0]) == rgb


def test_the_text_of_the_png_holds_the_segments_and_the_request() -> None:
    image = Image.open(
        BytesIO(panoptic_png(panoptic_of(np.zeros((4, 4), np.int32), [SEGMENT]), request_id="abc"))
    )

    assert isinstance(image, PngImagePlugin.PngImageFile)
    assert json.loads(image.text["segments_info"]) == segments_info([SEGMENT])
    assert image.text["request_id"] == "abc"


def test_a_segment_is_told_as_coco_tells_it() -> None:
    assert segments_info([SEGMENT]) == [
        {
            "id": 1001,
            "category_id": 26,
            "class_index": 5,
            "label": "car",
            "isthing": True,
            "score": 0.8765,
            "area": 6,
            "bbox": [1, 2, 3, 2],
            "center": [2.2, 2.5],
            "iscrowd": 0,
        }
    ]


def test_a_palette_holds_the_same_ids() -> None:
    ids = np.array([[0, 1001], [7, 1001]], np.int32)
    segments = [SEGMENT._replace(id=7), SEGMENT]

    image = Image.open(BytesIO(panoptic_png(panoptic_of(ids, segments), palette=True)))

    assert image.mode == "P"
    assert np.array_equal(rgb_to_ids(np.asarray(image.convert("RGB"))), ids)


def test_more_ids_than_a_palette_holds_are_written_in_24_bits() -> None:
    ids = np.arange(1, 257, dtype=np.int32).reshape(16, 16)
    segments = [SEGMENT._replace(id=number) for number in range(1, 257)]

    image = Image.open(BytesIO(panoptic_png(panoptic_of(ids, segments), palette=True)))

    assert image.mode == "RGB"
    assert np.array_equal(rgb_to_ids(np.asarray(image)), ids)
