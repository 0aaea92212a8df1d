"""Xception-65 as DeepLab changed it: strides in depthwise convolutions instead of pooling, norms after each.

Source: Chollet 2017, Chen et al. 2018. In all blocks but the last a ReLU comes first and none after; neither the sum
nor a block's output has one. The features res2 and res3 are what the second convolution of blocks 2 and 3 gives,
before the block's stride.
"""

from collections import OrderedDict

from torch import Tensor, nn

from model.network.layers import ConvNorm, SeparableConv
from model.variants import Xception


class XceptionBackbone(nn.Module):
    """Images to res2 .. res5: 256, 728, 728 and 2048 channels."""

    def __init__(self, spec: Xception):
        super().__init__()
        first, second = spec.stem
        self.stem = nn.Sequential(
            OrderedDict(conv1=ConvNorm(3, first, 3, stride=2), conv2=ConvNorm(first, second, 3))
        )
        _, res2, res3 = spec.entry
        self.channels = {"res2": res2, "res3": res3, "res4": res3, "res5": spec.last[-1]}
        inputs = second
        for index, width in enumerate(spec.entry, start=1):
            self.add_module(f"block{index}", Block(inputs, (width,) * 3, stride=2))
            inputs = width
        self.middle = [f"block{4 + index}" for index in range(spec.middle_blocks)]
        for name in self.middle:
            self.add_module(name, Block(inputs, (inputs,) * 3))
        self.exit = f"block{4 + spec.middle_blocks}"
        self.add_module(self.exit, Block(inputs, spec.exit, stride=spec.exit_stride))
        self.last = f"block{5 + spec.middle_blocks}"
        self.add_module(self.last, _last(spec.exit[-1], spec.last, spec.last_dilation))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to features at strides 4, 8, 16 and 16 or 32."""
        x, _ = self.get_submodule("block1")(self.stem(images))
        x, res2 = self.get_submodule("block2")(x)
        x, res3 = self.get_submodule("block3")(x)
        for name in self.middle:
            x, _ = self.get_submodule(name)(x)
        y, _ = self.get_submodule(self.exit)(x)
        return {"res2": res2, "res3": res3, "res4": x, "res5": self.get_submodule(self.last)(y)}


class Block(nn.Module):
    """Three separable convolutions, the stride in the third, and the sum with the input or its projection."""

    def __init__(self, inputs: int, widths: tuple[int, int, int], stride: int = 1):
        super().__init__()
        first, second, outputs = widths
        self.separable1 = _separable(inputs, first)
        self.separable2 = _separable(first, second)
        self.separable3 = _separable(second, outputs, stride)
        self.shortcut = None
        if inputs != outputs or stride != 1:
            self.shortcut = ConvNorm(inputs, outputs, stride=stride, activation=None)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, inputs, H, W) to the block's output at H / stride and its second convolution's at H."""
        inner = self.separable2(self.separable1(x))
        y = self.separable3(inner)
        return y + (x if self.shortcut is None else self.shortcut(x)), inner


def _separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """ReLU, depthwise 3x3, pointwise; the ReLU must leave its input as it is, for others read it."""
    return nn.Sequential(
        OrderedDict(
            relu=nn.ReLU(),
            depthwise=ConvNorm(inputs, inputs, 3, stride=stride, groups=inputs, activation=None),
            pointwise=ConvNorm(inputs, outputs, activation=None),
        )
    )


def _last(inputs: int, widths: tuple[int, int, int], dilation: int) -> nn.Sequential:
    """The block without a sum, whose norms are each followed by a ReLU."""
    first, second, third = widths
    return nn.Sequential(
        OrderedDict(
            separable1=SeparableConv(inputs, first, 3, dilation),
            separable2=SeparableConv(first, second, 3, dilation),
            separable3=SeparableConv(second, third, 3, dilation),
        )
    )
