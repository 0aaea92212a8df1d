"""EfficientNet-Lite: inverted residuals with ReLU6, no squeeze and excitation, TensorFlow's "same" padding.

Source: Tan and Le 2019, and the Lite variants of TensorFlow's TPU repository. A stride-2 convolution there pads one
pixel less at top and left than at bottom and right on inputs of even size; sides must be multiples of 16.
"""

from torch import Tensor, nn

from model.network.layers import ConvNorm
from model.network.residual import InvertedResidual
from model.variants import EfficientNetLite

EPS = 1e-3


class EfficientNetLiteBackbone(nn.Module):
    """Images to the features a variant names, at strides 4, 8 and 16."""

    def __init__(self, spec: EfficientNetLite):
        super().__init__()
        self.stem = ConvNorm(
            3, spec.stem_channels, 3, stride=2, padding=_padding(3, 2), eps=EPS, activation=nn.ReLU6
        )
        self.features = dict(spec.features)
        self.channels = {name: spec.channels[stage - 1] for name, stage in spec.features}
        inputs = spec.stem_channels
        stages: list[nn.Module] = []
        dilation = 1
        for index, outputs in enumerate(spec.channels):
            kernel = spec.kernels[index]
            blocks: list[nn.Module] = []
            for block in range(spec.blocks[index]):
                stride = spec.strides[index] if block == 0 else 1
                blocks.append(
                    InvertedResidual(
                        inputs,
                        outputs,
                        spec.expansions[index],
                        kernel,
                        stride=stride,
                        dilation=dilation,
                        padding=_padding(kernel, stride),
                        eps=EPS,
                        activation=nn.ReLU6,
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


def _padding(kernel: int, stride: int) -> tuple[int, int, int, int] | None:
    """Left, right, top, bottom as TensorFlow pads an even side; None where that is the usual."""
    half = kernel // 2
    return (half - 1, half, half - 1, half) if stride == 2 else None
