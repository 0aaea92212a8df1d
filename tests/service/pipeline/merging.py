"""Heads to merge, and the reference's answer to them."""

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import torch

from model.bundle import CategorySpec, HeadsSpec, Manifest, MergingSpec
from model.categories import Category, load_categories
from model.fit import Sizes
from model.network.panoptic_deeplab import Heads as TorchHeads
from model.tail import finish
from model.variants import EFFICIENTNET_LITE0, Merging
from service.backends import Heads

Grid = Literal["input", "output"]


@dataclass(frozen=True)
class Case:
    """One picture's heads and all that says how to merge them."""

    heads: Heads
    sizes: Sizes
    merging: MergingSpec
    label_set: str = "street"
    stride: int = 4
    align_corners: bool = False


def smooth_heads(rows: int, columns: int, seed: int = 0, *, classes: int = 17, reach: float = 6) -> Heads:
    """Random heads that vary slowly, as a network's do."""
    rng = np.random.default_rng(seed)

    def field(channels: int, step: int) -> np.ndarray:
        coarse = rng.standard_normal((channels, rows // step + 3, columns // step + 3)).astype(np.float32)
        return np.stack(
            [cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_CUBIC) for plane in coarse]
        )

    heat = np.minimum(field(1, 4) * np.float32(0.5), np.float32(1.5))
    return Heads(field(classes, 6)[None] * 3, heat[None], field(2, 5)[None] * np.float32(reach))


def merging_of(grid: Grid, *, nms_kernel: int = 7, top_k: int = 60) -> MergingSpec:
    return MergingSpec(
        grid=grid, threshold=0.2, nms_kernel=nms_kernel, top_k=top_k, stuff_area=40, label_divisor=1000
    )


def manifest_of(toy: Manifest, case: Case) -> Manifest:
    """The toy's manifest with the case's categories, and with heads and merging as the case has them."""
    heads = HeadsSpec(stride=case.stride, align_corners=case.align_corners, outputs=toy.heads.outputs)
    categories = tuple(_spec(each) for each in load_categories(case.label_set))
    return toy.model_copy(update={"categories": categories, "heads": heads, "merging": case.merging})


def reference_ids(case: Case) -> np.ndarray:
    merging = case.merging
    variant = replace(
        EFFICIENTNET_LITE0,
        label_set=case.label_set,
        stride=case.stride,
        align_corners=case.align_corners,
        merging=Merging(merging.threshold, merging.nms_kernel, merging.top_k, merging.stuff_area),
    )
    heads = TorchHeads(
        *(torch.from_numpy(x) for x in (case.heads.semantic, case.heads.center, case.heads.offset))
    )
    return finish(heads, variant, case.sizes, grid=merging.grid).labels.numpy() + 1


def _spec(each: Category) -> CategorySpec:
    return CategorySpec(
        id=each.id, name=each.name, isthing=each.isthing, color=each.color, isvoid=each.isvoid
    )
