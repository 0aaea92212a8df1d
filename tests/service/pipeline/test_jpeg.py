"""JPEG: reduced decoding stays close to the full way, to the fraction of a pixel."""

import math
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from model.bundle import Size
from model.fit import fit, fitted_size
from service.pipeline.image_errors import ImageDamaged, ImageError, ImageTooLarge, ImageUnsupported
from service.pipeline.images import read_photograph
from service.pipeline.jpeg import plain_size, reduction
from tests.service.conftest import Encode, photograph

LIMIT = 40_000_000
SHADES = np.stack(np.broadcast_arrays(*np.ogrid[0:80:2, 0:120:2], 90), axis=2).astype(np.uint8)
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


def with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    """A JPEG with a segment more behind its first two."""
    first = 4 + int.from_bytes(data[4:6])
    return data[:first] + bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content + data[first:]


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_says_nothing_of_itself_is_decoded_without_pillow(
    mode: str, progressive: bool, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(SHADES if mode == "RGB" else SHADES[..., 0], "JPEG", progressive=progressive)
    expected = np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)
    monkeypatch.setattr("service.pipeline.images._open", None)

    found = read_photograph(data, max_pixels=LIMIT)

    assert plain_size(data) == found.size == (40, 60)
    assert np.abs(found.pixels - expected).max() <= 3


@pytest.mark.parametrize(
    "before", [b"", b"ICC_PROFILE\0\1\1 \xff\xda"], ids=["first", "behind the mark of a scan"]
)
def test_exif_is_seen_wherever_it_stands(before: bytes, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(SHADES, "JPEG")
    data = with_segment(data, 0xE1, b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0"))
    if before:
        data = with_segment(data, 0xE2, before)

    found = read_photograph(data, max_pixels=LIMIT)

    assert plain_size(data) is None
    assert (found.size, found.orientation) == ((60, 40), 6)


def test_an_orientation_in_xmp_is_seen(encode: Encode) -> None:
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="3"/>'
    data = with_segment(encode(SHADES, "JPEG"), 0xE1, xmp)

    found = read_photograph(data, max_pixels=LIMIT)

    assert plain_size(data) is None
    assert found.orientation == 3


@pytest.mark.parametrize("cut", [3, 20, 100])
def test_of_a_header_that_breaks_off_nothing_is_believed(cut: int, encode: Encode) -> None:
    data = encode(SHADES, "JPEG")[:cut]

    assert plain_size(data) is None
    with pytest.raises(ImageError):
        read_photograph(data, max_pixels=LIMIT)


def test_a_damaged_jpeg_is_tried_once_before_pillow_has_the_last_word(
    encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Size] = []
    monkeypatch.setattr("service.pipeline.images.decode_jpeg", lambda data, size, factor: tries.append(size))

    with pytest.raises(ImageDamaged):
        read_photograph(encode(SHADES, "JPEG")[:-20], max_pixels=LIMIT)

    assert tries == [(40, 60)]


def test_neither_cmyk_nor_another_format_is_plain(encode: Encode) -> None:
    file = BytesIO()
    Image.fromarray(SHADES).convert("CMYK").save(file, "JPEG")

    assert plain_size(file.getvalue()) is None
    assert plain_size(encode(SHADES, "PNG")) is None
    assert plain_size(b"") is None


def test_a_plain_jpeg_of_too_many_pixels_is_refused_by_its_header(encode: Encode) -> None:
    with pytest.raises(ImageTooLarge, match="60 x 40"):
        read_photograph(encode(SHADES, "JPEG"), max_pixels=2399)
