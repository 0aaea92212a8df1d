"""Photographs: bytes of whatever format, kept to limits, become RGB.

ImageError
├── NotAnImage        the bytes are no format that is taken
├── ImageDamaged      a format, but truncated or corrupt
├── ImageUnsupported  sound, but of a kind that has no plain RGB picture
└── ImageTooLarge     more pixels than allowed; found in the header, nothing was decoded
"""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Pillow's names of what is taken; a JPEG may turn out an MPO, of two-lens cameras, whose first picture counts."""

_WEBP_LOSSLESS = b"VP8L"
_WEBP_EXTENDED = b"VP8X"
_WEBP_LOSSY = b"VP8 "

# Pillow's own limit is one number for the whole process, below what a caller may allow; ours is checked instead.
Image.MAX_IMAGE_PIXELS = None
# Else the first upload that is no picture would wait for all of Pillow's plugins to be imported.
Image.init()


class ImageError(Exception):
    """Bytes that are no usable photograph; the message says what was found and what is allowed."""


class NotAnImage(ImageError):
    """The bytes are no format that is taken."""


class ImageDamaged(ImageError):
    """A known format, truncated or corrupt."""


class ImageUnsupported(ImageError):
    """A sound file whose kind has no plain RGB picture."""


class ImageTooLarge(ImageError):
    """More pixels than allowed."""


@dataclass(frozen=True)
class Photograph:
    """A decoded photograph, upright."""

    pixels: NDArray[np.uint8]  # (H, W, 3) RGB
    orientation: int  # the EXIF orientation that was undone, 1 to 8; 1 is upright


def read_photograph(data: bytes, *, max_pixels: int) -> Photograph:
    """Decode a photograph; the format is recognised by content, and its size checked before anything is decoded.

    Gray, palette and CMYK become RGB, transparency is laid over white, 16 bits are scaled to 8, of an animation the
    first frame counts, and the EXIF orientation is undone.

    Raises: ImageError: one of its four kinds.
    """
    if not data:
        raise NotAnImage("The body is empty. Send the bytes of a photograph.")
    _check_webp(data, max_pixels)
    image = _open(data)
    _check_pixels(*image.size, max_pixels)
    try:
        orientation = _orientation(image)
        pixels = _decode_jpeg(data, image)
        left = orientation
        if pixels is None:
            image.load()
            left = _orientation(image)  # Pillow turns a TIFF itself while loading
            pixels = _to_rgb(image)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # Pillow's plugins raise whatever their parsing met
        raise ImageDamaged(
            f"The {image.format} cannot be decoded: {_sentence(error)}. It is truncated or corrupt; send it again."
        ) from error
    return Photograph(np.ascontiguousarray(turn_upright(pixels, left)), orientation)


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation, 1 to 8, of an (H, W, 3) picture."""
    if orientation in (5, 6, 7, 8):  # stored on its side
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise NotAnImage(
            f"The body, {len(data)} bytes, is no picture of a known format or breaks off in its header. "
            "Send JPEG, PNG, WebP, GIF, BMP or TIFF."
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # as above
        raise ImageDamaged(
            f"The picture's header cannot be read: {_sentence(error)}. Send it again."
        ) from error


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


def _decode_jpeg(data: bytes, image: Image.Image) -> NDArray[np.uint8] | None:
    """The fast way for the usual JPEG; None leaves it to Pillow, whose word on damage is final."""
    if image.format not in ("JPEG", "MPO") or image.mode != "RGB":
        return None
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True))
    except ValueError:
        return None


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.uint32)
        return np.repeat(((deep + 128) // 257).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ImageUnsupported(
            f"The {image.format} has 32-bit values ({image.mode}), whose range nothing tells. "
            "Send 8 or 16 bits a channel."
        )
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        paper = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        return np.asarray(Image.alpha_composite(paper, picture).convert("RGB"))
    try:
        return np.asarray(image.convert("RGB"))
    except ValueError:
        raise ImageUnsupported(
            f"The {image.format} has colours of mode {image.mode}, which have no plain RGB. Send RGB."
        ) from None


def _sentence(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0].rstrip(".")
