"""From heads at network stride to labels at the photograph's size: the reference in torch, plain and slow.

Detectron2's order is to enlarge by the stride, crop off the padding, bring every head to the photograph's size, and
merge there ("output" grid): offsets keep their numbers, kernel and areas count pixels of the photograph. That ties
the answer to the photograph's size, so the "input" grid finds centers on the network's input and lets every pixel
of the photograph vote in its coordinates. Where photograph and input have one size the two agree.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from model import grouping
from model.categories import load_categories, thing_indices, void_indices
from model.fit import Sizes
from model.network.panoptic_deeplab import Heads, upsample
from model.variants import Merging, Variant


@dataclass(frozen=True)
class Answer:
    """Labels and the full-size maps they were made of."""

    labels: Tensor  # (H, W) int64, VOID where nothing is
    logits: Tensor  # (C, H, W)
    center: Tensor  # (H, W)


def finish(
    heads: Heads,
    variant: Variant,
    sizes: Sizes,
    *,
    merging: Merging | None = None,
    grid: Literal["input", "output"] = "output",
) -> Answer:
    """Bring one picture's heads to labels at its own size.

    Args:
        heads: with N = 1, at the variant's stride.
    """
    merging = merging or variant.merging
    categories = load_categories(variant.label_set)
    things, voids = thing_indices(categories), void_indices(categories)
    rows, columns = sizes.fitted
    full = Heads(*(x[:, :, :rows, :columns] for x in upsample(heads, variant, sizes.input)))
    large = Heads(*(_resize(x, sizes.output) for x in full))
    semantic = large.semantic[0].argmax(dim=0)
    if grid == "output":
        labels = grouping.panoptic(
            semantic,
            large.center[0, 0],
            large.offset[0],
            things=things,
            voids=voids,
            threshold=merging.threshold,
            nms_kernel=merging.nms_kernel,
            top_k=merging.top_k,
            stuff_area=merging.stuff_area,
            label_divisor=merging.label_divisor,
        )
        return Answer(labels, large.semantic[0], large.center[0, 0])
    centers = grouping.find_centers(full.center[0, 0], merging.threshold, merging.nms_kernel, merging.top_k)
    instances = torch.zeros_like(semantic)
    if len(centers):
        votes = _positions(sizes) + large.offset[0]
        is_thing = torch.isin(semantic, torch.tensor(things))
        instances[is_thing] = grouping.nearest_center(centers, votes[:, is_thing])
    area = merging.stuff_area * sizes.output[0] * sizes.output[1] / (rows * columns)
    labels = grouping.merge(semantic, instances, things, area, merging.label_divisor, voids)
    return Answer(labels, large.semantic[0], large.center[0, 0])


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    if (x.shape[2], x.shape[3]) == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _positions(sizes: Sizes) -> Tensor:
    """Where the photograph's pixels lie on the fitted input, half-pixel centers: (2, H, W) float32, (y, x)."""
    axes = [
        (torch.arange(output, dtype=torch.float32) + 0.5) * (fitted / output) - 0.5
        for fitted, output in zip(sizes.fitted, sizes.output, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))
