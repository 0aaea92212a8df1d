"""What the answer over HTTP does not carry and measures need: every pixel's class, and the published instance score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.bundle import Manifest
from model.fit import Sizes
from service.backends import Floats, Heads
from service.evaluation.enlarge import enlarge
from service.pipeline.panoptic import Panoptic


@dataclass(frozen=True)
class Reading:
    """What was read from the heads at the photograph's size."""

    classes: NDArray[np.uint8]  # (H, W) class indices, before any merging
    scores: dict[int, float]  # {id: instance score} of every thing


def read_heads(heads: Heads, sizes: Sizes, manifest: Manifest, panoptic: Panoptic) -> Reading:
    """Read classes and instance scores.

    The score is Detectron2's: the mean softmax probability of the instance's class over its mask, times the raw heat
    at the mask's centroid, truncated to a pixel. It may be negative. The service's own score differs in three ways: it
    reads probabilities at the network's stride, takes the heat at the predicted center, and clamps it.

    Args:
        heads: N = 1.
        panoptic: their merged answer.

    Source: detectron2, projects/Panoptic-DeepLab, panoptic_seg.py.
    """
    things = [segment for segment in panoptic.segments if segment.isthing]
    index = np.array([segment.class_index for segment in things], np.intp)
    codes = _codes(panoptic.ids, [segment.id for segment in things])
    classes = np.empty(sizes.output, np.uint8)
    sums = np.zeros((len(things), 4))  # probability, y, x, pixels
    for start, stop, logits in enlarge(heads.semantic[0], sizes, manifest.heads):
        classes[start:stop] = logits.argmax(axis=0)
        y, x = np.nonzero(codes[start:stop] >= 0)
        inside = codes[y + start, x]
        found = _probabilities(logits[:, y, x], index[inside])
        values = np.stack([found, y + start, x, np.ones(len(y))])
        for column in range(len(values)):
            sums[:, column] += np.bincount(inside, weights=values[column], minlength=len(things))
    heat = np.concatenate([band[0] for _, _, band in enlarge(heads.center[0], sizes, manifest.heads)])
    scores = {}
    for segment, (probability, y_sum, x_sum, pixels) in zip(things, sums.tolist(), strict=True):
        place = int(y_sum / pixels), int(x_sum / pixels)
        scores[segment.id] = probability / pixels * float(heat[place])
    return Reading(classes, scores)


def _codes(ids: NDArray[np.int32], things: list[int]) -> NDArray[np.intp]:
    """(H, W) ids to places in a list of ascending ids, -1 elsewhere."""
    if not things:
        return np.full(ids.shape, -1, np.intp)
    known = np.array(things)
    places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[places] == ids, places, -1)


def _probabilities(logits: Floats, index: NDArray[np.intp]) -> Floats:
    """Softmax over the first axis of (C, P), at one class a pixel: (P,)."""
    exponentials = np.exp(logits - logits.max(axis=0))
    chosen = exponentials[index, np.arange(logits.shape[1])]
    return np.asarray(chosen / exponentials.sum(axis=0), np.float32)
