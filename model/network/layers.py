"""Convolution blocks that every part of the network is made of."""

from collections import OrderedDict
from itertools import pairwise

from torch import nn

from model.variants import Convolutions


class ConvNorm(nn.Sequential):
    """Convolution without bias and its batch norm, then the activation where one is given."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        padding: int | tuple[int, int, int, int] | None = None,
        eps: float = 1e-5,
        activation: type[nn.Module] | None = nn.ReLU,
    ):
        """Build it.

        Args:
            padding: pixels a side, or left, right, top and bottom; by default what keeps the size at stride 1.
        """
        if padding is None:
            padding = dilation * (kernel // 2)
        parts = OrderedDict[str, nn.Module]()
        if isinstance(padding, tuple):
            parts["pad"] = nn.ZeroPad2d(padding)
            padding = 0
        parts["conv"] = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)
        parts["norm"] = nn.BatchNorm2d(outputs, eps)
        if activation is not None:
            parts["activation"] = activation(inplace=True)
        super().__init__(parts)


class SeparableConv(nn.Sequential):
    """Depthwise convolution, then pointwise, each with norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1):
        super().__init__(
            OrderedDict(
                depthwise=ConvNorm(inputs, inputs, kernel, dilation=dilation, groups=inputs),
                pointwise=ConvNorm(inputs, outputs),
            )
        )


def convolutions(inputs: int, spec: Convolutions) -> nn.Sequential:
    """Build a stack: (N, inputs, H, W) to (N, spec.channels[-1], H, W)."""
    if spec.kind == "separable" and len(spec.channels) == 1:
        return SeparableConv(inputs, spec.channels[0], spec.kernel)
    block = SeparableConv if spec.kind == "separable" else ConvNorm
    widths = (inputs, *spec.channels)
    return nn.Sequential(*(block(i, o, spec.kernel) for i, o in pairwise(widths)))
