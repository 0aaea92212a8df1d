"""Panoptic-DeepLab: one backbone, a semantic and an instance decoder, three heads.

Source: Cheng et al. 2020.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.categories import load_categories
from model.network.backbones import build_backbone
from model.network.decoder import DecoderModule, Head
from model.variants import Input, Variant


class Heads(NamedTuple):
    """What the network says about a picture, at any one stride."""

    semantic: Tensor  # (N, C, H, W) logits
    center: Tensor  # (N, 1, H, W), near 1 at an object's center; no sigmoid
    offset: Tensor  # (N, 2, H, W), (dy, dx) to the center, in pixels of this map


class PanopticDeepLab(nn.Module):
    """Normalised images to heads at the variant's stride."""

    def __init__(self, variant: Variant):
        super().__init__()
        self.variant = variant
        self.backbone = build_backbone(variant.backbone)
        channels = self.backbone.channels
        assert isinstance(channels, dict)
        self.semantic_decoder = DecoderModule(channels, variant.semantic_decoder, variant)
        self.instance_decoder = DecoderModule(channels, variant.instance_decoder, variant)
        classes = len(load_categories(variant.label_set))
        self.semantic_head = Head(self.semantic_decoder.channels, variant.semantic_head, classes)
        self.center_head = Head(self.instance_decoder.channels, variant.center_head, 1)
        self.offset_head = Head(self.instance_decoder.channels, variant.offset_head, 2)

    def forward(self, images: Tensor) -> Heads:
        """(N, 3, H, W), normalised, to heads at H / stride."""
        features = self.backbone(images)
        semantic = self.semantic_decoder(features)
        instance = self.instance_decoder(features)
        return Heads(self.semantic_head(semantic), self.center_head(instance), self.offset_head(instance))


def normalize(images: Tensor, spec: Input) -> Tensor:
    """(N, H, W, 3) RGB 0-255 of any dtype to (N, 3, H, W) float32 as the network eats it.

    The cast precedes the permutation: TensorRT refuses to transpose uint8. The arithmetic follows it: on planes ONNX
    Runtime does it several times faster than on pixels of three numbers.
    """
    mean = torch.tensor(spec.mean, device=images.device)[:, None, None]
    std = torch.tensor(spec.std, device=images.device)[:, None, None]
    return (images.float().permute(0, 3, 1, 2) - mean) / std


def upsample(heads: Heads, variant: Variant, size: tuple[int, int]) -> Heads:
    """Bring heads to the network input's size, as the variant's authors do.

    Args:
        size: rows and columns of the network's input. Detectron2 multiplies each side by the stride, which on odd
            inputs gives a larger map that is cropped; the original repository interpolates straight to the size.
    """
    rows, columns = size
    if variant.align_corners:
        scale = (rows - 1) // (heads.offset.shape[2] - 1)

        def bring(x: Tensor) -> Tensor:
            return F.interpolate(x, size=size, mode="bilinear", align_corners=True)
    else:
        scale = variant.stride

        def bring(x: Tensor) -> Tensor:
            return F.interpolate(x, scale_factor=float(scale), mode="bilinear", align_corners=False)

    semantic, center, offset = (bring(x)[:, :, :rows, :columns] for x in heads)
    return Heads(semantic, center, offset * scale)
