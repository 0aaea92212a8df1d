"""Photographs: every kind becomes the right RGB, or is refused for the right reason."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.pipeline.image_errors import (
    ImageDamaged,
    ImageTooLarge,
    NotAnImage,
)
from service.pipeline.images import read_photograph, turn_upright
from tests.service.conftest import Encode, photograph
from tests.service.files_by_hand import GRAY, png, tiled_tiff

LIMIT = 40_000_000
GRADIENT = np.stack(np.broadcast_arrays(*np.ogrid[0:96, 0:128], 90), axis=2).astype(np.uint8)


def read(data: bytes, limit: int = LIMIT) -> np.ndarray:
    return read_photograph(data, max_pixels=limit).pixels


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_a_lossless_picture_comes_back_exactly(kind: str, encode: Encode) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}

    assert np.array_equal(read(encode(GRADIENT, kind, **options)), GRADIENT)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"keep_rgb": True}])
def test_a_jpeg_is_decoded_as_pillow_does(options: dict[str, object], encode: Encode) -> None:
    data = encode(Image.open(photograph("china.jpg")), "JPEG", quality=90, **options)
    expected = np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)

    assert np.abs(read(data) - expected).max() <= 1


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg", "rocket.jpg", "coffee.png", "chelsea.png"])
def test_a_real_photograph_is_decoded_as_pillow_does(name: str) -> None:
    path = photograph(name)
    expected = np.asarray(Image.open(path).convert("RGB")).astype(int)

    assert np.abs(read(path.read_bytes()) - expected).max() <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_exif_orientation_is_undone_and_told(orientation: int, kind: str, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(GRADIENT, kind, exif=exif, quality=95)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("RGB")).astype(int)

    found = read_photograph(data, max_pixels=LIMIT)

    assert found.orientation == orientation
    assert found.pixels.shape == expected.shape
    assert np.abs(found.pixels - expected).max() <= 1


def test_turning_upright_keeps_every_pixel() -> None:
    turned = [turn_upright(GRADIENT, orientation) for orientation in range(1, 9)]

    assert {tuple(sorted(each.shape[:2])) for each in turned} == {(96, 128)}
    assert len({each.tobytes() for each in turned}) == 8


def test_a_gray_jpeg_becomes_rgb(encode: Encode) -> None:
    found = read(encode(Image.new("L", (20, 10), 77), "JPEG"))

    assert found.shape == (10, 20, 3)
    assert np.abs(found.astype(int) - 77).max() <= 1


def test_a_cmyk_jpeg_becomes_rgb(encode: Encode) -> None:
    data = encode(Image.new("RGB", (16, 16), (200, 30, 60)).convert("CMYK"), "JPEG", quality=95)

    assert np.abs(read(data)[8, 8].astype(int) - (200, 30, 60)).max() <= 6


def test_a_palette_becomes_its_colours(encode: Encode) -> None:
    data = encode(Image.new("RGB", (8, 8), (10, 200, 30)).quantize(4), "PNG")

    assert read(data)[0, 0].tolist() == [10, 200, 30]


def test_transparency_is_laid_over_white(encode: Encode) -> None:
    picture = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    picture.putpixel((1, 0), (200, 0, 0, 255))

    assert read(encode(picture)).tolist() == [[[255, 255, 255], [200, 0, 0]]]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_counts(kind: str, encode: Encode) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ((255, 0, 0), (0, 0, 255))]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)

    assert np.abs(read(data)[4, 4].astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_picture_is_refused(kind: str, share: float, encode: Encode) -> None:
    data = encode(Image.open(photograph("coffee.png")).convert("RGB"), kind)

    with pytest.raises((ImageDamaged, NotAnImage)):
        read(data[: int(len(data) * share)])


def test_a_jpeg_that_lacks_its_last_bytes_is_refused(encode: Encode) -> None:
    data = encode(Image.open(photograph("coffee.png")).convert("RGB"), "JPEG")

    with pytest.raises(ImageDamaged, match="truncated"):
        read(data[:-200])


@pytest.mark.parametrize(
    "data", [b"", b"hello, this is text\n" * 100, b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF"]
)
def test_what_is_no_picture_is_refused_as_none(data: bytes) -> None:
    with pytest.raises((NotAnImage, ImageDamaged)):
        read(data)


def test_too_many_pixels_are_refused_by_the_header_alone() -> None:
    with pytest.raises(ImageTooLarge, match=r"400\.0 megapixels .* up to 40 \(PANOPTIC_MAX_MEGAPIXELS\)"):
        read(png(20_000, 20_000, 1, GRAY, b""))


def test_a_webp_is_measured_before_pillow_opens_it(encode: Encode) -> None:
    data = bytearray(encode(GRADIENT, "WEBP", exif=Image.Exif().tobytes() or b"x", lossless=True))
    data[24:30] = (16_000).to_bytes(3, "little") * 2

    with pytest.raises(ImageTooLarge):
        read(bytes(data))


@pytest.mark.parametrize("lossless", [True, False])
def test_every_kind_of_webp_is_held_to_the_limit(lossless: bool, encode: Encode) -> None:
    with pytest.raises(ImageTooLarge, match="128 x 96"):
        read(encode(GRADIENT, "WEBP", lossless=lossless), limit=96 * 128 - 1)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_an_interlaced_picture_comes_back(kind: str, encode: Encode) -> None:
    picture = Image.fromarray(GRADIENT[:, :, :2].sum(axis=2, dtype=np.uint8)).convert("P")

    assert np.array_equal(read(encode(picture, kind, interlace=1)), np.asarray(picture.convert("RGB")))


def test_the_first_page_of_a_tiff_counts(encode: Encode) -> None:
    pages = [Image.new("RGB", (8, 8), color) for color in ((255, 0, 0), (0, 0, 255))]

    found = read(encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]))

    assert (found == (255, 0, 0)).all()


def test_a_tiled_tiff_comes_back_exactly() -> None:
    assert np.array_equal(read(tiled_tiff(GRADIENT, side=32)), GRADIENT)


@pytest.mark.parametrize(
    "options", [{"quality": 85}, {"lossless": True}, {"exif": Image.Exif(), "quality": 60}]
)
def test_a_webp_is_decoded_as_pillow_does(options: dict[str, object], encode: Encode) -> None:
    data = encode(Image.open(photograph("coffee.png")).convert("RGB"), "WEBP", **options)
    expected = np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)

    assert np.abs(read(data) - expected).max() <= 1
