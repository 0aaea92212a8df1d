"""RGB: values of every depth and meaning come out as the eye would see them, or are refused with the reason."""

import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from service.pipeline.image_errors import ImageUnsupported
from service.pipeline.images import read_photograph
from tests.service.conftest import Encode
from tests.service.files_by_hand import GRAY, GRAY_ALPHA, RGB, chunk, png_line, tiff_line

DEEP = np.array([0, 256, 20_000, 32_768, 65_534, 65_535], np.uint16)
SCALED = DEEP / 257  # 65535 is white
TREBLE = np.repeat(DEEP[:, None], 3, axis=1)


def line(data: bytes) -> np.ndarray:
    """The pixels of a file of one line, (W, 3)."""
    return read_photograph(data, max_pixels=100).pixels[0].astype(int)


@pytest.mark.parametrize(
    "data",
    [
        png_line(DEEP, GRAY),
        png_line(TREBLE, RGB),
        png_line(np.stack([DEEP, np.full_like(DEEP, 65_535)], axis=1), GRAY_ALPHA),
        tiff_line(6, DEEP.tobytes(), bits=16, photometric=1),
        tiff_line(6, (65_535 - DEEP).tobytes(), bits=16, photometric=0),
        tiff_line(6, TREBLE.tobytes(), bits=16, photometric=2, samples=3),
    ],
    ids=["PNG gray", "PNG RGB", "PNG with alpha", "TIFF gray", "TIFF white is zero", "TIFF RGB"],
)
def test_sixteen_bits_are_scaled_to_eight(data: bytes) -> None:
    assert np.abs(line(data) - SCALED[:, None]).max() < 1


def test_sixteen_bits_of_a_tiff_by_another_writer_are_scaled_too() -> None:
    written = cv2.imencode(".tiff", np.repeat(DEEP[None, :, None], 3, axis=2))[1].tobytes()

    assert np.abs(line(written) - SCALED[:, None]).max() < 1


def test_twelve_bits_of_a_tiff_are_scaled_by_their_own_white() -> None:
    packed = bytes([0xFF, 0xF8, 0x00])  # 4095 and 2048

    assert line(tiff_line(2, packed, bits=12, photometric=1)).tolist() == [[255] * 3, [128] * 3]


@pytest.mark.parametrize(
    ("color", "values", "name"),
    [(GRAY, DEEP, struct.pack(">H", 20_000)), (RGB, TREBLE, struct.pack(">HHH", *[20_000] * 3))],
)
def test_a_transparent_colour_of_sixteen_bits_becomes_white(
    color: int, values: np.ndarray, name: bytes
) -> None:
    found = line(png_line(values, color, chunk(b"tRNS", name)))

    assert found[2].tolist() == [255, 255, 255]
    assert found[3].tolist() == [128, 128, 128]


@pytest.mark.parametrize(("bits", "kind"), [(8, np.uint8), (16, np.uint16)])
def test_a_tiff_of_four_inks_becomes_rgb(bits: int, kind: type) -> None:
    full = (1 << bits) - 1
    inks: np.ndarray = np.array([[0, 0, 0, 0], [0, full, full, 0], [0, 0, 0, full]], kind)

    found = line(tiff_line(3, inks.tobytes(), bits=bits, photometric=5, samples=4))

    assert found.tolist() == [[255, 255, 255], [255, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    "data",
    [
        tiff_line(1, bytes(4), bits=32, photometric=1, form=3),
        tiff_line(1, bytes(12), bits=32, photometric=2, samples=3, form=3),
        tiff_line(1, bytes(8), bits=64, photometric=1, form=3),
        tiff_line(1, bytes(4), bits=32, photometric=1),
        tiff_line(1, bytes(2), bits=16, photometric=1, form=2),
    ],
    ids=["float", "float RGB", "double", "32 bits", "signed"],
)
def test_a_tiff_of_unknown_range_is_refused_and_told_what_to_send(data: bytes) -> None:
    with pytest.raises(ImageUnsupported, match=r"^The TIFF .* Send 8 "):
        line(data)


def test_a_palette_with_transparency_is_laid_over_white(encode: Encode) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    image.putdata([0, 1, 2])

    found = line(encode(image, "PNG", transparency=bytes([255, 0, 51])))

    assert found.tolist() == [[0, 0, 0], [255, 255, 255], [204, 244, 204]]


def test_a_transparent_gif_is_laid_over_white(encode: Encode) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putdata([0, 1])

    assert line(encode(image, "GIF", transparency=1)).tolist() == [[10, 20, 30], [255, 255, 255]]


def test_half_transparency_of_a_webp_is_mixed_with_white(encode: Encode) -> None:
    picture = Image.new("RGBA", (4, 1), (100, 0, 0, 51))

    found = line(encode(picture, "WEBP", lossless=True, exact=True))

    assert found[0].tolist() == pytest.approx([224, 204, 204], abs=1)
