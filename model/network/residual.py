"""Residual blocks that several backbones are made of.

Source: He et al. 2016 (basic block, bottleneck), Sandler et al. 2018 (inverted residual).
"""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from model.network.layers import ConvNorm

EXPANSION = 4  # outputs of a bottleneck for each channel of its stage


class Bottleneck(nn.Module):
    """1x1 reduce, 3x3, 1x1 expand, and the sum with the input or its projection."""

    def __init__(
        self, inputs: int, width: int, outputs: int, *, stride: int = 1, dilation: int = 1, groups: int = 1
    ):
        super().__init__()
        self.conv1 = ConvNorm(inputs, width)
        self.conv2 = ConvNorm(width, width, 3, stride=stride, dilation=dilation, groups=groups)
        self.conv3 = ConvNorm(width, outputs, activation=None)
        self.shortcut = None
        if inputs != outputs:
            self.shortcut = ConvNorm(inputs, outputs, stride=stride, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y = self.conv3(self.conv2(self.conv1(x)))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class BasicBlock(nn.Module):
    """Two 3x3, and the sum with the input."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = ConvNorm(channels, channels, 3)
        self.conv2 = ConvNorm(channels, channels, 3, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same."""
        return F.relu(self.conv2(self.conv1(x)) + x)


class InvertedResidual(nn.Module):
    """1x1 expand, depthwise, 1x1 project; the sum with the input where shapes agree."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        expansion: int,
        kernel: int,
        *,
        stride: int,
        activation: type[nn.Module],
        dilation: int = 1,
        padding: tuple[int, int, int, int] | None = None,
        eps: float = 1e-5,
    ):
        """Build it.

        Args:
            padding: of the depthwise convolution, left, right, top and bottom; by default what keeps the size.
        """
        super().__init__()
        width = inputs * expansion
        layers = OrderedDict[str, nn.Module]()
        if expansion != 1:
            layers["expand"] = ConvNorm(inputs, width, eps=eps, activation=activation)
        layers["depthwise"] = ConvNorm(
            width,
            width,
            kernel,
            stride=stride,
            dilation=dilation,
            groups=width,
            padding=padding,
            eps=eps,
            activation=activation,
        )
        layers["project"] = ConvNorm(width, outputs, eps=eps, activation=None)
        self.layers = nn.Sequential(layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y
