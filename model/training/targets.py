"""What the heads should say: heat, offsets and where each loss counts.

Source: Cheng et al. 2020, section 3.2, with Detectron2's numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from model.curriculum import IGNORE
from model.training.datasets import Sample


@dataclass(frozen=True)
class TargetSpec:
    """Numbers of the targets."""

    sigma: float  # pixels, of the Gaussian around a center
    small_area: int  # pixels; instances below count more in the semantic loss
    small_weight: float
    centroid: Literal["rounded", "truncated"] = (
        "rounded"  # the pixel of the Gaussian's top; offsets keep the mean
    )


@dataclass(frozen=True)
class Targets:
    """Targets of one crop or, stacked, of a batch."""

    codes: Tensor  # (H, W) int64
    semantic_weight: Tensor  # (H, W) float32
    center: Tensor  # (1, H, W) float32, 0..1
    center_weight: Tensor  # (1, H, W)
    offset: Tensor  # (2, H, W) float32, (dy, dx) in pixels
    offset_weight: Tensor  # (1, H, W)


def make_targets(sample: Sample, spec: TargetSpec) -> Targets:
    """Make the targets of a crop; its instances are those that the crop shows.

    A center is the mean of an instance's pixels; heat is the maximum of all Gaussians, each on a whole pixel. Where
    nothing is labelled, or an instance is not known, center and offset teach nothing.
    """
    whole: Callable[[float], int] = round if spec.centroid == "rounded" else int
    codes, instances = sample.codes.long(), sample.instances.long()
    rows, columns = codes.shape
    semantic_weight = torch.ones(rows, columns)
    center = torch.zeros(rows, columns)
    offset = torch.zeros(2, rows, columns)
    grid_y, grid_x = torch.arange(rows, dtype=torch.float32), torch.arange(columns, dtype=torch.float32)
    for instance in instances[instances > 0].unique():
        y, x = (instances == instance).nonzero(as_tuple=True)
        mean_y, mean_x = float(y.float().mean()), float(x.float().mean())
        if len(y) < spec.small_area:
            semantic_weight[y, x] = spec.small_weight
        y_top, x_top = whole(mean_y), whole(mean_x)
        heat = torch.outer(_gaussian(grid_y, y_top, spec.sigma), _gaussian(grid_x, x_top, spec.sigma))
        center = torch.maximum(center, heat)
        offset[0, y, x] = mean_y - y
        offset[1, y, x] = mean_x - x
    known = (codes != IGNORE) & (instances >= 0)
    return Targets(
        codes=codes,
        semantic_weight=semantic_weight,
        center=center[None],
        center_weight=known.float()[None] * sample.instance_weight,
        offset=offset,
        offset_weight=(instances > 0).float()[None] * sample.instance_weight,
    )


def stack(targets: list[Targets]) -> Targets:
    """Put crops of one size into a batch."""
    return Targets(
        codes=torch.stack([t.codes for t in targets]),
        semantic_weight=torch.stack([t.semantic_weight for t in targets]),
        center=torch.stack([t.center for t in targets]),
        center_weight=torch.stack([t.center_weight for t in targets]),
        offset=torch.stack([t.offset for t in targets]),
        offset_weight=torch.stack([t.offset_weight for t in targets]),
    )


def _gaussian(axis: Tensor, at: int, sigma: float) -> Tensor:
    distance = axis - at
    values = torch.exp(-distance.square() / (2 * sigma * sigma))
    return torch.where(distance.abs() <= 3 * sigma + 1, values, 0.0)
