"""MobileNetV2 and MNASNet: stages of inverted residuals, none dilated, without the last 1x1 and the classifier.

Source: Sandler et al. 2018, Tan et al. 2019.
"""

from torch import Tensor, nn

from model.network.layers import ConvNorm
from model.network.residual import InvertedResidual
from model.variants import MobileNet

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "relu6": nn.ReLU6}


class MobileNetBackbone(nn.Module):
    """Images to the features a variant names, at strides 4, 8, 16 and 32."""

    def __init__(self, spec: MobileNet):
        super().__init__()
        activation = ACTIVATIONS[spec.activation]
        self.stem = ConvNorm(3, spec.stem_channels, 3, stride=2, activation=activation)
        self.features = dict(spec.features)
        self.channels = {name: spec.channels[stage - 1] for name, stage in spec.features}
        inputs = spec.stem_channels
        stages: list[nn.Module] = []
        for outputs, count, expansion, kernel, stride in zip(
            spec.channels, spec.blocks, spec.expansions, spec.kernels, spec.strides, strict=True
        ):
            blocks: list[nn.Module] = []
            for block in range(count):
                first = stride if block == 0 else 1
                blocks.append(
                    InvertedResidual(inputs, outputs, expansion, kernel, stride=first, activation=activation)
                )
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to {name: feature}."""
        x = self.stem(images)
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return {name: outputs[stage - 1] for name, stage in self.features.items()}
