"""ASPP, the decoder that climbs back to stride 4, and the heads."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.network.layers import ConvNorm, SeparableConv, convolutions
from model.variants import Aspp, Convolutions, Decoder, Variant


class AsppModule(nn.Module):
    """Atrous spatial pyramid pooling (Chen et al. 2017)."""

    def __init__(self, inputs: int, spec: Aspp, pooling_kernel: tuple[int, int] | None, align_corners: bool):
        super().__init__()
        block = SeparableConv if spec.kind == "separable" else ConvNorm
        dilated = (block(inputs, spec.channels, 3, dilation=rate) for rate in spec.rates)
        self.branches = nn.ModuleList([ConvNorm(inputs, spec.channels), *dilated])
        self.pool = nn.Conv2d(inputs, spec.channels, 1, bias=spec.pooling_bias)
        self.project = ConvNorm(spec.channels * 5, spec.channels)
        self.dropout = nn.Dropout(spec.dropout)
        self.pooling_kernel = pooling_kernel
        self.align_corners = align_corners

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, channels, H, W)."""
        branches = [branch(x) for branch in self.branches]
        branches.append(self._image_pooling(x))
        y: Tensor = self.dropout(self.project(torch.cat(branches, dim=1)))
        return y

    def _image_pooling(self, x: Tensor) -> Tensor:
        if self.pooling_kernel is None:
            pooled = x.mean(dim=(2, 3), keepdim=True)
        else:
            pooled = F.avg_pool2d(x, self.pooling_kernel, stride=1)
        size = (x.shape[2], x.shape[3])
        return F.interpolate(
            F.relu(self.pool(pooled)), size=size, mode="bilinear", align_corners=self.align_corners
        )


class Fusion(nn.Module):
    """A finer feature, projected, beside the coarser map brought up to its size; then convolved."""

    scale: int | None = None  # between the two maps, where it is stated rather than found in their sizes

    def __init__(self, inputs: int, low_inputs: int, projected: int, fuse: Convolutions, variant: Variant):
        super().__init__()
        self.project = ConvNorm(low_inputs, projected)
        self.fuse = convolutions(inputs + projected, fuse)
        self.align_corners = variant.align_corners
        self.low_level_first = variant.low_level_first

    def forward(self, x: Tensor, low: Tensor) -> Tensor:
        """(N, inputs, h, w) and (N, low_inputs, H, W) to (N, fused, H, W)."""
        low = self.project(low)
        size = None if self.scale else (low.shape[2], low.shape[3])
        x = F.interpolate(x, size, self.scale, mode="bilinear", align_corners=self.align_corners)
        y: Tensor = self.fuse(torch.cat((low, x) if self.low_level_first else (x, low), dim=1))
        return y


class DecoderModule(nn.Module):
    """Backbone features to one map at stride 4."""

    def __init__(self, channels: dict[str, int], spec: Decoder, variant: Variant):
        super().__init__()
        self.coarsest = list(channels)[-1]
        self.aspp = AsppModule(
            channels[self.coarsest], spec.aspp, variant.pooling_kernel, variant.align_corners
        )
        inputs = spec.aspp.channels
        self.stages = nn.ModuleDict()
        for name, projected in spec.low_level:
            self.stages[name] = Fusion(inputs, channels[name], projected, spec.fuse, variant)
            inputs = spec.fuse.channels[-1]
        self.channels = inputs

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """{name: (N, C, H, W)} to (N, channels, H / 4, W / 4)."""
        x = self.aspp(features[self.coarsest])
        for name, stage in self.stages.items():
            x = stage(x, features[name])
        return x


class Head(nn.Module):
    """Convolutions and a 1x1 predictor."""

    def __init__(self, inputs: int, spec: Convolutions, outputs: int):
        super().__init__()
        self.layers = convolutions(inputs, spec)
        self.predictor = nn.Conv2d(spec.channels[-1], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        y: Tensor = self.predictor(self.layers(x))
        return y
