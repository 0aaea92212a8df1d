"""RGB: what Pillow decoded, of whatever mode, as 8 bits of red, green and blue."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from service.pipeline.image_errors import ImageUnsupported

_WHITE_IS_ZERO = 0  # a value of TIFF's PhotometricInterpretation


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Bring a decoded picture to (H, W, 3).

    Raises: ImageUnsupported: its values have no known range, or its colours no plain RGB.
    """
    if image.mode.startswith("I;16"):
        return np.repeat(_shallow(image)[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ImageUnsupported(
            f"The {image.format} has values whose range nothing tells (Pillow's mode {image.mode}: 32 bits, "
            "or 16 with a sign). Send 8 or 16 bits a channel, without sign."
        )
    if image.has_transparency_data:
        return _over_white(image)
    try:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    except ValueError:
        raise ImageUnsupported(
            f"The {image.format} has colours of mode {image.mode}, which have no plain RGB. Send RGB."
        ) from None


def _over_white(image: Image.Image) -> NDArray[np.uint8]:
    color = image.info.get("transparency")
    if (
        isinstance(color, tuple) and max(color) > 255
    ):  # of 16 bits, while Pillow keeps the upper 8 of the pixels
        image.info["transparency"] = tuple(value >> 8 for value in color)
    picture = image.convert("RGBA")
    paper = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(paper, picture).convert("RGB"))


def _shallow(image: Image.Image) -> NDArray[np.uint8]:
    """Gray of up to 16 bits, (H, W), scaled to 8 so that white stays white."""
    deep = np.asarray(image).astype(np.uint32)
    bits, photometric = _depth(image)
    white = (1 << bits) - 1
    gray = ((deep * 255 + white // 2) // white).astype(np.uint8)
    if photometric == _WHITE_IS_ZERO:
        gray = np.asarray(255 - gray, np.uint8)
    if isinstance(transparent := image.info.get("transparency"), int):
        gray[deep == transparent] = 255
    return gray


def _depth(image: Image.Image) -> tuple[int, int]:
    """Bits of a value and, of a TIFF, its photometric interpretation, which Pillow heeds up to 8 bits alone."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 16, 1
    bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (16,))
    return int(bits[0]), int(image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 1))
