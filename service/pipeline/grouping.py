"""Centers and votes: the published merging's first half, in numpy.

Equal to `model.grouping`, the plain reference, rule by rule: strict comparisons, plateaus, ties.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from service.backends import Floats

Indices = NDArray[np.intp]

_CHUNK = 1 << 15  # votes whose distances stay in the processor's cache


def find_centers(heat: Floats, *, threshold: float, nms_kernel: int, top_k: int) -> Indices:
    """Find the peaks of the heat map: (K, 2), (y, x) in row-major order.

    A peak is above `threshold`, above zero, and equals the maximum of its window. Where at least `top_k` are found,
    only those strictly above the top_k-th value stay.

    Args:
        heat: (H, W).
    """
    heat = np.where(heat > threshold, heat, np.float32(-1))
    highest = cv2.dilate(heat, np.ones((nms_kernel, nms_kernel), np.uint8))
    centers = np.argwhere((heat == highest) & (heat > 0))
    if len(centers) < top_k:
        return centers
    values = heat[centers[:, 0], centers[:, 1]]
    limit = np.partition(values, len(values) - top_k)[len(values) - top_k]
    return centers[values > limit]


def nearest_center(centers: Indices, votes: Floats) -> NDArray[np.uint16]:
    """Number every vote by the center next to it.

    Args:
        centers: (K, 2), (y, x), K >= 1.
        votes:   (2, P), (y, x) in the centers' pixels.
    Returns: (P,) 0..K - 1; the first center in order wins a tie of float32 distances.
    """
    numbers = np.zeros(votes.shape[1], np.uint16)
    for start in range(0, votes.shape[1], _CHUNK):
        part = slice(start, start + _CHUNK)
        _nearest(centers.astype(np.float32), votes[0, part], votes[1, part], numbers[part])
    return numbers


def _nearest(centers: Floats, y: Floats, x: Floats, numbers: NDArray[np.uint16]) -> None:
    best = np.full(len(y), np.inf, np.float32)
    for number, (center_y, center_x) in enumerate(centers):
        distance = np.square(center_y - y)
        distance += np.square(center_x - x)
        # Square roots, as published: two squares that differ may share a root, and then the first center wins.
        np.sqrt(distance, out=distance)
        nearer = distance < best
        np.copyto(best, distance, where=nearer)
        np.copyto(numbers, np.uint16(number), where=nearer)
