"""WebP by OpenCV's libwebp: twice as quick as by Pillow's, and without keeping Python's lock."""

import cv2
import numpy as np
from numpy.typing import NDArray

_AS_STORED = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


def decode_webp(data: bytes) -> NDArray[np.uint8] | None:
    """Decode a still WebP without transparency to (H, W, 3) RGB; None where anything is wrong with the file."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _AS_STORED)
    except cv2.error:
        return None
    return None if pixels is None else np.asarray(pixels, np.uint8)
