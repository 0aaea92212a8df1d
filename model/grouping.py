"""The published merging, plain and slow: the reference that every fast path is tested against.

Heads at one size become a map of labels: class index times divisor, plus a running number for the instances of a
thing class; void is -1. Detectron2 and the original repository agree on every step; they differ in how void is
written (-1, or 255 times the divisor) and in maps smaller than `top_k` pixels or one pixel thin, which one or both
refuse and this reads as any other.

Source: Cheng et al. 2020, section 3.2; the exact rules (strict comparisons, ties) are measured on both programs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

VOID = -1
_CHUNK = 1 << 16  # pixels whose distances to all centers are held at once


def panoptic(
    semantic: Tensor,
    center: Tensor,
    offset: Tensor,
    *,
    things: tuple[int, ...],
    threshold: float,
    nms_kernel: int,
    top_k: int | None,
    stuff_area: int,
    label_divisor: int,
    voids: tuple[int, ...] = (),
) -> Tensor:
    """Merge class indices, heat map and offsets of one picture.

    Args:
        semantic: (H, W) int64 class index.
        center:   (H, W) float32 heat.
        offset:   (2, H, W) float32, (dy, dx) in pixels of this map.
        things:   class indices that are split into instances.
        voids:    class indices answered as void.
    Returns: (H, W) int64 labels, VOID where nothing is.
    Raises:  ValueError: `nms_kernel` is even.
    """
    centers = find_centers(center, threshold, nms_kernel, top_k)
    is_thing = torch.isin(semantic, torch.tensor(things, dtype=semantic.dtype))
    instances = torch.zeros_like(semantic)
    if len(centers):
        instances[is_thing] = nearest_center(centers, find_votes(offset)[:, is_thing])
    return merge(semantic, instances, things, stuff_area, label_divisor, voids)


def find_centers(heat: Tensor, threshold: float, nms_kernel: int, top_k: int | None) -> Tensor:
    """Find the peaks of the heat map.

    A peak is above `threshold` (strictly), above zero, and equals the maximum of its window, so a plateau keeps all
    its pixels. Where at least `top_k` are found, only those strictly above the top_k-th value stay: at most
    top_k - 1, and none where all are equal.

    Args:
        heat: (H, W) float32.
    Returns: (K, 2) int64, (y, x) in row-major order.
    Raises:  ValueError: `nms_kernel` is even.
    """
    if nms_kernel % 2 == 0:
        raise ValueError(f"nms_kernel is {nms_kernel}, it must be odd")
    heat = torch.where(heat > threshold, heat, -1.0)
    pooled = F.max_pool2d(heat[None, None], nms_kernel, stride=1, padding=nms_kernel // 2)[0, 0]
    heat = torch.where(heat == pooled, heat, -1.0)
    limit = 0.0
    if top_k is not None and int((heat > 0).sum()) >= top_k:
        limit = max(float(heat.flatten().topk(top_k).values[-1]), 0.0)
    return (heat > limit).nonzero()


def find_votes(offset: Tensor) -> Tensor:
    """Where every pixel says that the center of its object is.

    Args:
        offset: (2, H, W) float32, (dy, dx).
    Returns: (2, H, W) float32, (y, x).
    """
    _, rows, columns = offset.shape
    pixels = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"))
    return pixels.to(offset.dtype) + offset


def nearest_center(centers: Tensor, votes: Tensor) -> Tensor:
    """Number every vote by the center next to it.

    Distances are float32 square roots, as published.

    Args:
        centers: (K, 2) int, (y, x), K >= 1.
        votes:   (2, …) float32, (y, x) in the centers' pixels.
    Returns: (…) int64, 1..K; the first center in order wins a tie of float32 distances.
    Raises:  ValueError: `centers` is empty.
    """
    if len(centers) == 0:
        raise ValueError("there are no centers to assign pixels to")
    points = votes.flatten(1).T  # (P, 2)
    places = centers.to(votes.dtype)[:, None]  # (K, 1, 2)
    nearest = [torch.norm(places - part[None], dim=-1).argmin(dim=0) for part in points.split(_CHUNK)]
    return torch.cat(nearest).reshape(votes.shape[1:]) + 1


def merge(
    semantic: Tensor,
    instances: Tensor,
    things: tuple[int, ...],
    stuff_area: float,
    label_divisor: int,
    voids: tuple[int, ...] = (),
) -> Tensor:
    """Name every instance by the majority of its pixels' classes, then lay the stuff around.

    Args:
        semantic:  (H, W) int64 class index.
        instances: (H, W) int64, 0 outside of things.
    Returns: (H, W) int64 labels. Instances are numbered from 1 within their class in the order of their ids; the
        smaller class wins a tied majority; stuff of fewer than `stuff_area` pixels is void.
    """
    labels = torch.full_like(semantic, VOID)
    counts: dict[int, int] = {}
    for instance in instances.unique().tolist():
        if instance == 0:
            continue
        mask = instances == instance
        index = int(semantic[mask].bincount().argmax())
        counts[index] = counts.get(index, 0) + 1
        labels[mask] = index * label_divisor + counts[index]
    for index in semantic.unique().tolist():
        if index in things or index in voids:
            continue
        mask = (semantic == index) & (instances == 0)
        if int(mask.sum()) >= stuff_area:
            labels[mask] = index * label_divisor
    return labels


def instance_scores(
    labels: Tensor, logits: Tensor, center: Tensor, things: tuple[int, ...], divisor: int
) -> dict[int, float]:
    """Score every instance as Detectron2 does: mean probability of its class times the heat at its centroid.

    Args:
        labels: (H, W) int64 as `panoptic` returns them.
        logits: (C, H, W) float32.
        center: (H, W) float32 heat; raw, so a score may be negative.
    Returns: {label: score}, in order of label.
    """
    probabilities = logits.softmax(dim=0)
    scores = {}
    for label in labels.unique().tolist():
        index = label // divisor
        if label == VOID or index not in things:
            continue
        y, x = (labels == label).nonzero(as_tuple=True)
        semantic_score = probabilities[index, y, x].mean()
        scores[label] = float(semantic_score * center[int(y.float().mean()), int(x.float().mean())])
    return scores
