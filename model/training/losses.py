"""Hard-pixel cross entropy, center mean squared error, offset L1.

Every loss is a sum over what it knows divided by how much that is; with several processes the divisor is their mean,
so that their averaged gradients are those of one process with all pictures.
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from model.curriculum import IGNORE
from model.network.panoptic_deeplab import Heads
from model.training.targets import Targets


@dataclass(frozen=True)
class LossSpec:
    """Weights of the losses; the published ones are the defaults."""

    hard_pixels: float = 0.2  # share of a batch's pixels, those of largest loss, that count
    center: float = 200.0
    offset: float = 0.01


@dataclass(frozen=True)
class Losses:
    """Weighted losses of one batch."""

    semantic: Tensor
    center: Tensor
    offset: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return self.semantic + self.center + self.offset


def panoptic_losses(
    heads: Heads, targets: Targets, unions: tuple[tuple[int, ...], ...], spec: LossSpec
) -> Losses:
    """Compare heads at the targets' size, offsets in its pixels."""
    pixels = pixel_loss(heads.semantic, targets.codes, unions) * targets.semantic_weight
    center = F.mse_loss(heads.center, targets.center, reduction="none") * targets.center_weight
    offset = F.l1_loss(heads.offset, targets.offset, reduction="none") * targets.offset_weight
    return Losses(
        semantic=hard_pixel_mean(pixels, spec.hard_pixels),
        center=spec.center * center.sum() / _shared(targets.center_weight.sum()),
        offset=spec.offset * offset.sum() / _shared(targets.offset_weight.sum()),
    )


def pixel_loss(logits: Tensor, codes: Tensor, unions: tuple[tuple[int, ...], ...]) -> Tensor:
    """Cross entropy of each pixel, where a union counts as the sum of its classes' probabilities.

    Args:
        logits: (N, C, H, W).
        codes:  (N, H, W) int64: classes, C + u for the u-th union, or IGNORE.
    Returns: (N, H, W), 0 where ignored.
    """
    joined = [logits[:, list(union)].logsumexp(dim=1, keepdim=True) for union in unions]
    log_probabilities = torch.cat([logits, *joined], dim=1) - logits.logsumexp(dim=1, keepdim=True)
    return F.nll_loss(log_probabilities, codes, ignore_index=IGNORE, reduction="none")


def hard_pixel_mean(losses: Tensor, share: float) -> Tensor:
    """Mean of the largest losses: `share` of all pixels."""
    flat = losses.flatten()
    if share >= 1.0:
        return flat.mean()
    return flat.topk(int(share * flat.numel()), sorted=False).values.mean()


def _shared(weight: Tensor) -> Tensor:
    """The mean over processes, at least one pixel."""
    if dist.is_initialized():
        weight = weight.clone()
        dist.all_reduce(weight)
        weight /= dist.get_world_size()
    return weight.clamp(min=1.0)
