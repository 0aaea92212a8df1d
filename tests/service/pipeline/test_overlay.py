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
