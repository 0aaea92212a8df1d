"""EfficientNet-Lite: inverted residuals with ReLU6, no squeeze and excitation, TensorFlow's "same" padding.

Source: Tan and Le 2019, and the Lite variants of TensorFlow's TPU repository. A stride-2 convolution there pads one
pixel less at top and left than at bottom and right on inputs of even size; sides must be multiples of 16.
"""

from collections import OrderedDict

from torch import Tensor, nn

from model.network.layers import ConvNorm
from model.variants import EfficientNetLite

EPS = 1e-3


class EfficientNetLiteBackbone(nn.Module):
    """Images to the features a variant names, at strides 4, 8 and 16."""

    def __init__(self, spec: EfficientNetLite):
        super().__init__()
        self.stem = _conv(3, spec.stem_channels, 3, stride=2)
        self.features = dict(spec.features)
        self.channels = {name: spec.channels[stage - 1] for name, stage in spec.features}
        inputs = spec.stem_channels
        stages: list[nn.Module] = []
        dilation = 1
        for index, outputs in enumerate(spec.channels):
            blocks: list[nn.Module] = []
            for block in range(spec.blocks[index]):
                stride = spec.strides[index] if block == 0 else 1
                blocks.append(
                    InvertedResidual(
                        inputs, outputs, spec.expansions[index], spec.kernels[index], stride, dilation
                    )
                )
                inputs = outputs
                dilation = spec.dilations[index]  # a stage's first block still has the dilation before it
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W), H and W multiples of 16."""
        x = self.stem(images)
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return {name: outputs[stage - 1] for name, stage in self.features.items()}


class InvertedResidual(nn.Module):
    """1x1 expand, depthwise, 1x1 project; the sum with the input where shapes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, dilation: int):
        super().__init__()
        width = inputs * expansion
        layers = OrderedDict[str, nn.Module]()
        if expansion != 1:
            layers["expand"] = ConvNorm(inputs, width, eps=EPS, activation=nn.ReLU6)
        layers["depthwise"] = _conv(width, width, kernel, stride, dilation, groups=width)
        layers["project"] = ConvNorm(width, outputs, eps=EPS, activation=None)
        self.layers = nn.Sequential(layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


def _conv(
    inputs: int, outputs: int, kernel: int, stride: int, dilation: int = 1, groups: int = 1
) -> ConvNorm:
    """A convolution with ReLU6 that pads as TensorFlow does."""
    half = kernel // 2
    return ConvNorm(
        inputs,
        outputs,
        kernel,
        stride=stride,
        dilation=dilation,
        groups=groups,
        padding=(half - 1, half, half - 1, half) if stride == 2 else None,
        eps=EPS,
        activation=nn.ReLU6,
    )
