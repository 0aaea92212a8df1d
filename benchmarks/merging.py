"""What does merging cost, beside the reference in torch? CPU milliseconds, for few and many objects.

Heads of 256 × 512 cells are merged at 1024 × 2048. CPU time is that of this thread, so that other work on the machine
disturbs it little; the two take turns, so that both meet the same moments.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch

from model.bundle import CategorySpec, HeadsSpec, Manifest, MergingSpec
from model.categories import load_categories
from model.fit import Sizes
from model.network.panoptic_deeplab import Heads as TorchHeads
from model.tail import finish
from model.variants import R52_DC5, Merging
from service.backends import Heads
from service.pipeline.panoptic import merge_heads

CELLS = (256, 512)
SIZE = (1024, 2048)
SIZES = Sizes(SIZE, SIZE, SIZE)
MERGING = MergingSpec(
    grid="output", threshold=0.1, nms_kernel=7, top_k=400, stuff_area=2048, label_divisor=1000
)
CASES = (("cityscapes", 0), ("cityscapes", 30), ("cityscapes", 220), ("coco", 30))
COMPARED = ("cityscapes", 30)  # the reference takes ten seconds and more
ROUNDS = 7


def main() -> None:
    """Print a line a case."""
    torch.set_num_threads(1)
    for label_set, objects in CASES:
        print(_measure(label_set, objects))


def _measure(label_set: str, objects: int) -> str:
    heads, manifest = scene(label_set, objects), _manifest(label_set)

    def merge() -> None:
        merge_heads(heads, SIZES, manifest, MERGING)

    merge()  # compiles or loads
    ours = statistics.median(_cost(merge) for _ in range(ROUNDS))
    line = f"{label_set}, {objects} objects: {ours:.1f} ms CPU (median of {ROUNDS})"
    if (label_set, objects) != COMPARED:
        return line
    reference = _cost(lambda: _reference(heads, label_set))
    return f"{line}; reference {reference:.0f} ms, {reference / ours:.0f} times as much"


def scene(label_set: str, objects: int) -> Heads:
    """Made-up heads: smooth stuff, and round objects with a peak in the middle and offsets that lead there."""
    categories = load_categories(label_set)
    things = [category.index for category in categories if category.isthing]
    rng = np.random.default_rng(objects)
    semantic = np.stack([_smooth(rng, 40) for _ in categories])
    semantic[things] -= 4
    heat, offset = np.abs(_smooth(rng, 4)) * np.float32(0.02), np.zeros((2, *CELLS), np.float32)
    y, x = np.mgrid[: CELLS[0], : CELLS[1]].astype(np.float32)
    radius = 12 if objects < 100 else 6
    for _ in range(objects):
        middle_y, middle_x = (rng.uniform(radius, side - radius) for side in CELLS)
        square = (y - middle_y) ** 2 + (x - middle_x) ** 2
        inside = square < radius**2
        semantic[rng.choice(things)][inside] = 9 - 6 * square[inside] / radius**2
        heat = np.maximum(heat, np.exp(-square / 8))
        offset[0][inside], offset[1][inside] = (middle_y - y)[inside], (middle_x - x)[inside]
    offset += np.stack([_smooth(rng, 8), _smooth(rng, 8)]) * np.float32(0.3)
    return Heads(semantic[None], heat[None, None].astype(np.float32), offset[None])


def _smooth(rng: np.random.Generator, step: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    coarse = rng.standard_normal((CELLS[0] // step + 3, CELLS[1] // step + 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, CELLS[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _manifest(label_set: str) -> Manifest:
    categories = tuple(
        CategorySpec(id=each.id, name=each.name, isthing=each.isthing, color=each.color)
        for each in load_categories(label_set)
    )
    partial: Any = {"stride": 4, "align_corners": False}
    heads: Any = HeadsSpec.model_construct(**partial)
    partial = {"categories": categories, "heads": heads}  # all that merging asks of it
    return Manifest.model_construct(**partial)


def _reference(heads: Heads, label_set: str) -> None:
    merging = Merging(MERGING.threshold, MERGING.nms_kernel, MERGING.top_k, MERGING.stuff_area)
    tensors = TorchHeads(*(torch.from_numpy(x) for x in (heads.semantic, heads.center, heads.offset)))
    finish(tensors, replace(R52_DC5, label_set=label_set), SIZES, merging=merging)


def _cost(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return (time.thread_time() - begun) * 1000


if __name__ == "__main__":
    main()
