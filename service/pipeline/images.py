"""Photographs: bytes of whatever format, kept to limits, become RGB."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from model.bundle import Size
from model.fit import Box
from service.backends import JpegDecoder
from service.pipeline.image_errors import ImageError, ImageTooLarge, NotAnImage, refusal
from service.pipeline.jpeg import decode_jpeg, plain_size, reduction
from service.pipeline.rgb import to_rgb
from service.pipeline.webp import decode_webp

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Pillow's names of what is taken; a JPEG may turn out an MPO, of two-lens cameras, whose first picture counts."""

_WEBP_LOSSLESS = b"VP8L"
_WEBP_EXTENDED = b"VP8X"
_WEBP_LOSSY = b"VP8 "

# Pillow's own limit is one number for the whole process, below what a caller may allow; ours is checked instead.
Image.MAX_IMAGE_PIXELS = None
# Else the first upload that is no picture would wait for all of Pillow's plugins to be imported.
Image.init()


@dataclass(frozen=True)
class Photograph:
    """A decoded photograph, upright."""

    pixels: NDArray[np.uint8]  # (h, w, 3) RGB, of its own size or reduced
    size: Size  # its own
    box: Box  # where in the pixels it lies; a reduced one may end within a pixel
    orientation: int  # the EXIF orientation that was undone, 1 to 8; 1 is upright


def read_photograph(
    data: bytes,
    *,
    max_pixels: int,
    needed: Callable[[Size], Size] | None = None,
    decoder: JpegDecoder | None = None,
) -> Photograph:
    """Decode a photograph; the format is recognised by content, and its size checked before anything is decoded.

    Gray, palette and CMYK become RGB, transparency is laid over white, 16 bits are scaled to 8, of an animation the
    first frame counts, and the EXIF orientation is undone. Colour profiles are not applied.

    Args:
        needed: to which size the upright photograph of a size will be resized; a JPEG much larger than that is
            decoded reduced. None: as it is.
        decoder: has the first try at a JPEG that is not decoded reduced.

    Raises: ImageError: one of its four kinds.
    """
    if not data:
        raise NotAnImage("The body is empty. Send the bytes of a photograph.")
    _check_webp(data, max_pixels)
    plain = plain_size(data)
    if plain is not None:
        _check_pixels(plain[1], plain[0], max_pixels)
        found = _from_jpeg(data, plain, 1, needed, decoder)
        if found is not None:
            return found
    image = _open(data)
    _check_pixels(*image.size, max_pixels)
    try:
        return _decode(data, image, needed, decoder, tried=plain is not None)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # Pillow's plugins raise whatever their parsing met
        raise refusal(image.format or "picture", error) from error


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation, 1 to 8, of an (H, W, 3) picture."""
    if _on_its_side(orientation):
        pixels = pixels.transpose(1, 0, 2)
    if _upside_down(orientation):
        pixels = pixels[::-1]
    if _mirrored(orientation):
        pixels = pixels[:, ::-1]
    return pixels


def _decode(
    data: bytes,
    image: Image.Image,
    needed: Callable[[Size], Size] | None,
    decoder: JpegDecoder | None,
    *,
    tried: bool,
) -> Photograph:
    """Decode what Pillow has opened.

    Args:
        tried: whether it is a JPEG that `_from_jpeg` could not decode.
    """
    orientation = _orientation(image)
    if not tried and image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L"):
        found = _from_jpeg(data, (image.height, image.width), orientation, needed, decoder)
        if found is not None:
            return found
    if image.format == "WEBP" and image.mode == "RGB" and getattr(image, "n_frames", 1) == 1:
        pixels = decode_webp(data)
        if pixels is not None and pixels.shape[:2] == (image.height, image.width):
            return _upright(pixels, (image.height, image.width), orientation, orientation)
    image.load()  # of a JPEG or WebP too, whose damage Pillow has the last word on
    pixels = to_rgb(image)
    left = _orientation(image)  # Pillow turns a TIFF itself while loading
    return _upright(pixels, (pixels.shape[0], pixels.shape[1]), orientation, left)


def _from_jpeg(
    data: bytes,
    stored: Size,
    orientation: int,
    needed: Callable[[Size], Size] | None,
    decoder: JpegDecoder | None,
) -> Photograph | None:
    """Decode a JPEG in gray or colour; None where anything at all is wrong with it."""
    factor = reduction(stored, _turned(needed(_turned(stored, orientation)), orientation)) if needed else 1
    pixels = decoder.decode(data, stored) if decoder is not None and factor == 1 else None
    if pixels is None:
        pixels = decode_jpeg(data, stored, factor)
    return None if pixels is None else _upright(pixels, stored, orientation, orientation, factor)


def _upright(
    stored: NDArray[np.uint8], size: Size, orientation: int, left: int, factor: int = 1
) -> Photograph:
    """Turn what was decoded.

    Args:
        size: of the photograph as it is stored, unreduced.
        left: the orientation that is still to be undone.
    """
    pixels = np.ascontiguousarray(turn_upright(stored, left))
    upright = _turned(size, left)
    (rows, columns), (height, width) = pixels.shape[:2], (side / factor for side in upright)
    top = rows - height if _upside_down(left) else 0.0
    begin = columns - width if _mirrored(left) else 0.0
    return Photograph(pixels, upright, (begin, top, begin + width, top + height), orientation)


def _on_its_side(orientation: int) -> bool:
    return orientation in (5, 6, 7, 8)


def _upside_down(orientation: int) -> bool:
    return orientation in (3, 4, 7, 8)


def _mirrored(orientation: int) -> bool:
    return orientation in (2, 3, 6, 7)


def _turned(size: Size, orientation: int) -> Size:
    return (size[1], size[0]) if _on_its_side(orientation) else size


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise _unidentified(data) from None
    except MemoryError:
        raise
    except Exception as error:  # as above
        raise refusal("picture", error) from error


def _unidentified(data: bytes) -> ImageError:
    """Why no plugin of Pillow took the bytes; Pillow itself keeps that to its debug log."""
    for name in FORMATS:
        plugin, accepts = Image.OPEN[name]
        if accepts is None or accepts(data[:16]) is not True:
            continue
        try:
            plugin(BytesIO(data), "")
        except Exception as error:  # as above
            return refusal(name, error)
    return NotAnImage(
        f"The body, {len(data)} bytes, is no picture of a known format or breaks off in its header. "
        "Send JPEG, PNG, WebP, GIF, BMP or TIFF."
    )


def _check_pixels(columns: int, rows: int, max_pixels: int) -> None:
    if columns * rows > max_pixels:
        raise ImageTooLarge(
            f"The image has {columns * rows / 1e6:.1f} megapixels ({columns} x {rows}), "
            f"this server takes up to {max_pixels / 1e6:g} (PANOPTIC_MAX_MEGAPIXELS). Send it smaller."
        )


def _check_webp(data: bytes, max_pixels: int) -> None:
    """Check a WebP's size, because Pillow allocates its whole canvas on opening."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return
    kind = data[12:16]
    if kind == _WEBP_EXTENDED:
        columns, rows = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == _WEBP_LOSSLESS:
        bits = int.from_bytes(data[21:25], "little")
        columns, rows = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == _WEBP_LOSSY:
        columns, rows = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    else:
        return
    _check_pixels(columns, rows, max_pixels)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or it cannot be read."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken EXIF block is no reason to refuse a sound picture
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1
