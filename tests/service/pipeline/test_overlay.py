"""The overlay: coloured, bordered, and no larger than a screen."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from service.pipeline.overlay import MAX_SIDE, draw_overlay, encode_overlay, shown_size
from service.pipeline.segments import Segment
from tests.service.toy import CATEGORIES, SKY

IDS = np.zeros((40, 60), np.int32)
IDS[:, :30] = 2001
SKY_LEFT = Segment(2001, 23, SKY, "sky", False, 1.0, 1200, (0, 0, 30, 40), (14.5, 19.5))


def test_an_overlay_is_no_larger_than_a_screen_and_keeps_its_shape() -> None:
    assert shown_size((3000, 4000)) == (MAX_SIDE * 3 // 4, MAX_SIDE)
    assert shown_size((300, 400)) == (300, 400)


def test_a_segment_takes_on_its_categorys_colour_and_has_a_white_border() -> None:
    drawn = draw_overlay(np.full((40, 60, 3), 255, np.uint8), IDS, [SKY_LEFT], CATEGORIES)

    away = np.abs(drawn[2, 5].astype(int) - np.array(CATEGORIES[SKY].color))
    assert (away < 255 - np.array(CATEGORIES[SKY].color)).all()
    assert (drawn[0, 29] == 255).all()


@pytest.mark.parametrize("kind", ["WEBP", "JPEG", "PNG"])
def test_an_overlay_is_written_as_a_picture(kind: str) -> None:
    with Image.open(BytesIO(encode_overlay(np.zeros((4, 6, 3), np.uint8), kind))) as image:
        assert (image.format, image.size) == (kind, (6, 4))


def test_blending_is_that_of_floats_within_one_level() -> None:
    rng = np.random.default_rng(0)
    photograph = rng.integers(0, 256, (40, 60, 3), np.uint8)
    opacity, color = np.where(IDS == 0, 0.25, 0.55)[:, :, None], np.array(CATEGORIES[SKY].color)
    expected = photograph * (1 - opacity) + np.where(IDS == 0, 0, 1)[:, :, None] * color * opacity

    drawn = draw_overlay(photograph, IDS, [SKY_LEFT._replace(label=" ")], CATEGORIES)

    inside = np.ones(IDS.shape, bool)
    inside[:, 29] = False  # the border
    inside[8:32, 4:29] = False  # the label's plate
    assert np.abs(drawn.astype(float) - expected)[inside].max() <= 1


def test_a_larger_segment_is_labelled_in_its_own_middle() -> None:
    ids = np.zeros((400, 600), np.int32)
    ids[:, :300] = 2001
    black = np.zeros((400, 600, 3), np.uint8)

    named, nameless = (
        draw_overlay(black, ids, [SKY_LEFT._replace(label=label)], CATEGORIES) for label in ("sky", "")
    )

    rows, columns = np.nonzero((named != nameless).any(axis=2))
    assert 100 < columns.min() <= columns.max() < 200
    assert rows.size > 50


def test_a_label_at_the_edge_stays_in_the_picture() -> None:
    ids = np.full((12, 30), 2001, np.int32)

    drawn = draw_overlay(
        np.zeros((12, 30, 3), np.uint8), ids, [SKY_LEFT._replace(label="a long name indeed")], CATEGORIES
    )

    assert drawn.shape == (12, 30, 3)


def test_a_picture_of_nothing_is_merely_darker() -> None:
    drawn = draw_overlay(np.full((8, 8, 3), 200, np.uint8), np.zeros((8, 8), np.int32), [], CATEGORIES)

    assert (drawn == 150).all()
