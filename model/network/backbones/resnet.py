"""ResNet and ResNeXt with bottlenecks, plain or in the dilated form (DC5) of DeepLab.

Source: He et al. 2016, Xie et al. 2017; stem, strides and multigrid as in Detectron2's DeepLab project.
"""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from model.network.layers import ConvNorm
from model.network.residual import EXPANSION, Bottleneck
from model.variants import ResNet

STEM_CHANNELS = {"deeplab": 128, "basic": 64}
WIDTHS = (64, 128, 256, 512)


class ResNetBackbone(nn.Module):
    """Images to res2 .. res5: 256, 512, 1024 and 2048 channels."""

    def __init__(self, spec: ResNet):
        super().__init__()
        self.stem = _stem(spec.stem)
        inputs = STEM_CHANNELS[spec.stem]
        self.channels: dict[str, int] = {}
        for stage, (count, width, stride) in enumerate(zip(spec.blocks, WIDTHS, spec.strides, strict=True)):
            dilations = spec.res5_dilations if stage == 3 else (1,) * count
            outputs = width * EXPANSION
            inner = spec.groups * spec.group_width * width // WIDTHS[0]
            blocks = []
            for index, dilation in enumerate(dilations):
                first = stride if index == 0 else 1
                blocks.append(
                    Bottleneck(inputs, inner, outputs, stride=first, dilation=dilation, groups=spec.groups)
                )
                inputs = outputs
            name = f"res{stage + 2}"
            self.add_module(name, nn.Sequential(*blocks))
            self.channels[name] = outputs

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to features at strides 4, 8, 16 and 16 or 32."""
        x = F.max_pool2d(self.stem(images), kernel_size=3, stride=2, padding=1)
        features = {}
        for name in self.channels:
            x = self.get_submodule(name)(x)
            features[name] = x
        return features


def _stem(kind: str) -> nn.Sequential:
    if kind == "basic":
        return nn.Sequential(OrderedDict(conv1=ConvNorm(3, 64, 7, stride=2)))
    return nn.Sequential(
        OrderedDict(
            conv1=ConvNorm(3, 64, 3, stride=2),
            conv2=ConvNorm(64, 64, 3),
            conv3=ConvNorm(64, 128, 3),
        )
    )
