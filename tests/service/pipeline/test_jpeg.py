"""JPEG: reduced decoding stays close to the full way, to the fraction of a pixel."""

import math
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from model.bundle import Size
from model.fit import fit, fitted_size
from service.pipeline.image_errors import ImageDamaged, ImageUnsupported
from service.pipeline.images import read_photograph
from service.pipeline.jpeg import reduction
from tests.service.conftest import Encode, photograph

LIMIT = 40_000_000
BUCKET = (64, 96)


def needed(size: Size) -> Size:
    return fitted_size(size, BUCKET)


def reduced_and_full(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The network's input from a reduced picture and from the whole one."""
    pictures = []
    for wish in (needed, None):
        found = read_photograph(data, max_pixels=LIMIT, needed=wish)
        pictures.append(fit(found.pixels, BUCKET, (0, 0, 0), photograph=found.size, box=found.box)[0])
    return pictures[0], pictures[1]


def decibels(found: np.ndarray, expected: np.ndarray) -> float:
    return 10 * math.log10(255**2 / np.square(found.astype(float) - expected).mean())


@pytest.mark.parametrize(
    ("stored", "needed", "factor"),
    [
        ((1600, 1600), (100, 100), 8),
        ((1599, 1600), (100, 100), 4),
        ((800, 2000), (100, 100), 4),
        ((400, 400), (100, 100), 2),
        ((399, 399), (100, 100), 1),
        ((50, 50), (100, 100), 1),
    ],
)
def test_a_reduced_picture_has_twice_the_size_that_is_needed(stored: Size, needed: Size, factor: int) -> None:
    assert reduction(stored, needed) == factor


def test_a_reduced_jpeg_keeps_its_own_size_in_mind(encode: Encode) -> None:
    data = encode(Image.open(photograph("china.jpg")), "JPEG")  # 640 x 427

    found = read_photograph(data, max_pixels=LIMIT, needed=needed)

    assert found.pixels.shape == (214, 320, 3)
    assert found.size == (427, 640)
    assert found.box == (0, 0, 320, 213.5)


def test_reduced_decoding_is_that_of_another_decoder(encode: Encode) -> None:
    data = encode(Image.open(photograph("china.jpg")), "JPEG")
    expected = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_2))[:, :, ::-1]

    found = read_photograph(data, max_pixels=LIMIT, needed=needed).pixels.astype(int)

    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
def test_the_networks_input_is_almost_that_of_the_whole_photograph(name: str, encode: Encode) -> None:
    data = encode(Image.open(photograph(name)), "JPEG", quality=92)

    assert decibels(*reduced_and_full(data)) > 44


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_photograph_lies_where_the_whole_one_lies_however_it_is_turned(
    orientation: int, encode: Encode
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.open(photograph("china.jpg")).crop((0, 0, 633, 421)), "JPEG", exif=exif, quality=95)

    found, expected = reduced_and_full(data)

    assert decibels(found, expected) > 44


def test_a_turned_photograph_is_reduced_by_its_upright_size(encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.new("RGB", (1200, 400)), "JPEG", exif=exif)

    found = read_photograph(data, max_pixels=LIMIT, needed=lambda size: (300, 100))

    assert found.size == (1200, 400)
    assert found.pixels.shape == (600, 200, 3)


def test_a_truncated_jpeg_is_refused_when_it_would_be_reduced(encode: Encode) -> None:
    data = encode(Image.open(photograph("china.jpg")), "JPEG")

    with pytest.raises(ImageDamaged, match="truncated"):
        read_photograph(data[: len(data) // 2], max_pixels=LIMIT, needed=needed)


def test_a_jpeg_of_twelve_bits_is_unsupported(encode: Encode) -> None:
    data = bytearray(encode(Image.new("RGB", (16, 16)), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12

    with pytest.raises(ImageUnsupported, match=r"12-bit.* Send 8 bits"):
        read_photograph(bytes(data), max_pixels=LIMIT)


def test_the_inverted_inks_of_adobe_become_rgb(encode: Encode) -> None:
    color = (200, 30, 60)
    ycc = Image.new("RGB", (16, 16), tuple(255 - value for value in color)).convert("YCbCr")
    # Pillow inverts inks as it writes them, so the file holds this YCC and, in full, K
    inks = [ImageOps.invert(band) for band in ycc.split()]
    data = bytearray(encode(Image.merge("CMYK", [*inks, Image.new("L", (16, 16), 0)]), "JPEG", quality=95))
    data[data.index(b"Adobe") + 11] = 2  # the transform: YCCK

    found = read_photograph(bytes(data), max_pixels=LIMIT).pixels

    assert np.abs(found[8, 8].astype(int) - color).max() <= 4


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "block",
    [b"garbage", b"II*\0\xff\xff\xff\x7f", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0"],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_broken_exif_block_is_no_reason_to_refuse(block: bytes, kind: str, encode: Encode) -> None:
    data = encode(Image.new("RGB", (8, 4), (90, 90, 90)), kind, exif=b"Exif\0\0" + block)

    found = read_photograph(data, max_pixels=LIMIT)

    assert (found.orientation, found.size) == (1, (4, 8))


def test_a_gray_jpeg_is_decoded_as_pillow_does(encode: Encode) -> None:
    data = encode(Image.open(photograph("china.jpg")).convert("L"), "JPEG")
    expected = np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)

    assert np.abs(read_photograph(data, max_pixels=LIMIT).pixels - expected).max() <= 1
