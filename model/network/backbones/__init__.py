"""Backbones: one family a file, one line a family here."""

from torch import nn

from model.network.backbones.efficientnet_lite import EfficientNetLiteBackbone
from model.network.backbones.hrnet import HighResolutionBackbone
from model.network.backbones.mobilenet import MobileNetBackbone
from model.network.backbones.resnet import ResNetBackbone
from model.network.backbones.xception import XceptionBackbone
from model.variants import Backbone, EfficientNetLite, HighResolution, MobileNet, ResNet, Xception

BACKBONES: dict[type[Backbone], type[nn.Module]] = {
    ResNet: ResNetBackbone,
    Xception: XceptionBackbone,
    HighResolution: HighResolutionBackbone,
    MobileNet: MobileNetBackbone,
    EfficientNetLite: EfficientNetLiteBackbone,
}


def build_backbone(spec: Backbone) -> nn.Module:
    """Build the backbone a variant names.

    Returns: a module whose forward gives {feature name: tensor} and whose `channels` gives {feature name: width},
        both in order from fine to coarse.
    """
    return BACKBONES[type(spec)](spec)
