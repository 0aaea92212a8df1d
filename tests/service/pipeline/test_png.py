"""PNG: what the writer writes, other readers read."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from service.pipeline.png import code_png, palette_png, rgb_png

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
NOISE = np.random.default_rng(3)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """No example waits for the compiler."""
    code_png(np.zeros((1, 1), np.uint16), np.zeros((1, 3), np.uint8))


def by_opencv(data: bytes) -> np.ndarray:
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(found)[:, :, ::-1]


@given(SIZES)
def test_two_other_readers_see_the_same_colours(size: tuple[int, int]) -> None:
    pixels = NOISE.integers(0, 256, (*size, 3), np.uint8)

    written = rgb_png(pixels)

    assert np.array_equal(np.asarray(Image.open(BytesIO(written))), pixels)
    assert np.array_equal(by_opencv(written), pixels)


@given(SIZES, st.integers(1, 256))
def test_a_palette_is_read_as_its_colours(size: tuple[int, int], colors: int) -> None:
    codes = NOISE.integers(0, 300, size, np.uint16)
    numbers = NOISE.integers(0, colors, 300, np.uint8)
    palette = NOISE.integers(0, 256, (colors, 3), np.uint8)

    written = palette_png(codes, numbers, palette)

    expected = palette[numbers[codes]]
    assert np.array_equal(np.asarray(Image.open(BytesIO(written)).convert("RGB")), expected)
    assert np.array_equal(by_opencv(written), expected)


@given(SIZES, st.integers(1, 3))
def test_codes_are_written_as_the_picture_of_their_colours(size: tuple[int, int], codes: int) -> None:
    picture = NOISE.integers(0, codes, size, np.uint16)
    colors = NOISE.integers(0, 256, (codes, 3), np.uint8)

    written = code_png(picture, colors)

    assert np.array_equal(np.asarray(Image.open(BytesIO(written))), colors[picture])
    assert np.array_equal(by_opencv(written), colors[picture])


def test_every_chunk_is_whole_by_its_checksum() -> None:
    written = palette_png(
        np.zeros((3, 5), np.uint16), np.zeros(1, np.uint8), np.zeros((1, 3), np.uint8), {"a": "b"}
    )

    with Image.open(BytesIO(written)) as image:
        image.verify()


@pytest.mark.parametrize("text", ["", "plain", "Größe 尺寸 🙂", "{" * 5000])
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    image = Image.open(BytesIO(rgb_png(np.zeros((2, 2, 3), np.uint8), {"keyword": text})))

    assert isinstance(image, PngImagePlugin.PngImageFile)
    assert image.text["keyword"] == text


def test_a_map_of_flat_areas_is_hardly_larger_than_by_pillows_default() -> None:
    y, x = np.mgrid[0:256, 0:512]
    ids = ((x // 90 + (y + x // 3) // 70) % 7 * 9).astype(np.uint8)
    colors = np.stack([np.arange(64), np.arange(64) // 3, np.zeros(64)], axis=1).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(colors[ids]).save(file, "PNG")

    assert len(rgb_png(colors[ids])) <= 1.1 * len(file.getvalue())
    assert len(code_png(ids.astype(np.uint16), colors)) <= 1.1 * len(file.getvalue())
