"""Variants of the original repository: separable fusions and heads, aligned corners, Cityscapes.

Nothing is dilated but res5 of `r50-os16`, the base configuration, whose instance heads are wider. `os` is the
output stride of the backbone; HRNet's name counts its finest branch.
"""

from model.variants.specs import (
    Aspp,
    Backbone,
    Convolutions,
    Decoder,
    HighResolution,
    Input,
    Merging,
    MobileNet,
    Published,
    ResNet,
    Size,
    Variant,
    Xception,
)

TEST_SIZE: Size = (1025, 2049)
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
IMAGENET_PAD = (123, 116, 103)  # cut off, not rounded

R50 = ResNet(stem="basic")
R50_OS16 = ResNet(stem="basic", strides=(1, 2, 2, 1), res5_dilations=(1, 2, 2))
R101 = ResNet(stem="basic", blocks=(3, 4, 23, 3))
RESNEXT101 = ResNet(stem="basic", blocks=(3, 4, 23, 3), groups=32, group_width=8)
STAGES = (("res2", 2), ("res3", 3), ("res4", 5), ("res5", 7))
MOBILENET_V2 = MobileNet(
    stem_channels=32,
    expansions=(1, 6, 6, 6, 6, 6, 6),
    channels=(16, 24, 32, 64, 96, 160, 320),
    blocks=(1, 2, 3, 4, 3, 3, 1),
    kernels=(3, 3, 3, 3, 3, 3, 3),
    strides=(1, 2, 2, 2, 1, 2, 1),
    activation="relu6",
    features=STAGES,
)
MNASNET = MobileNet(
    stem_channels=32,
    expansions=(1, 3, 3, 6, 6, 6, 6),
    channels=(16, 24, 40, 80, 96, 192, 320),
    blocks=(1, 3, 3, 3, 2, 4, 1),
    kernels=(3, 3, 5, 5, 3, 5, 3),
    strides=(1, 2, 2, 2, 1, 2, 1),
    activation="relu",
    features=STAGES,
)


def _published(pq: float, sq: float, rq: float, ap: float, miou: float) -> Published:
    return Published(pq, sq, rq, miou, ap, "Cityscapes val, 1025x2049, the original repository's model zoo")


def _decoder(low_level: tuple[tuple[str, int], ...], width: int, rates: tuple[int, int, int]) -> Decoder:
    aspp = Aspp(256, rates, "plain", pooling_bias=False, dropout=0.5)
    return Decoder(aspp, low_level, Convolutions("separable", (width,), 5))


def _input(backbone: Backbone) -> Input:
    gray = (127.5, 127.5, 127.5)
    xception = isinstance(backbone, Xception)
    return Input(
        size=TEST_SIZE,
        mean=gray if xception else IMAGENET_MEAN,
        std=gray if xception else IMAGENET_STD,
        divisor=1,
        resize="none",
        pad_value=(127, 127, 127) if xception else IMAGENET_PAD,
    )


def _variant(
    name: str,
    backbone: Backbone,
    published: Published | None = None,
    *,
    stride: int = 32,
    rates: tuple[int, int, int] = (3, 6, 9),
    semantic: tuple[tuple[str, int], ...] = (("res4", 128), ("res3", 64), ("res2", 32)),
    instance: tuple[tuple[str, int], ...] = (("res4", 64), ("res3", 32), ("res2", 16)),
    instance_head: int = 32,
) -> Variant:
    head = Convolutions("separable", (instance_head,), 5)
    rows, columns = TEST_SIZE
    return Variant(
        name=name,
        flavour="original",
        label_set="cityscapes",
        backbone=backbone,
        semantic_decoder=_decoder(semantic, 256, rates),
        instance_decoder=_decoder(instance, 128, rates),
        semantic_head=Convolutions("separable", (256,), 5),
        center_head=head,
        offset_head=head,
        input=_input(backbone),
        merging=Merging(),
        pooling_kernel=((rows - 1) // stride + 1, (columns - 1) // stride + 1),  # the whole test picture
        align_corners=True,
        low_level_first=False,
        published=published,
        coarsest_stride=stride,
    )


ROWS: tuple[Variant, ...] = (
    _variant("r50-os32", R50, _published(59.8, 80.0, 73.5, 28.3, 78.6)),
    _variant(
        "r50-os16",
        R50_OS16,
        stride=16,
        rates=(6, 12, 18),
        semantic=(("res3", 64), ("res2", 32)),
        instance=(("res3", 32), ("res2", 16)),
        instance_head=128,
    ),
    _variant("r101-os32", R101, _published(60.3, 80.8, 73.6, 30.2, 78.4)),
    _variant("resnext101-os32", RESNEXT101, _published(61.4, 80.8, 74.9, 30.3, 79.6)),
    _variant("xception65-os32", Xception(), _published(61.8, 81.1, 75.2, 31.7, 79.6)),
    _variant("mobilenet-v2-os32", MOBILENET_V2, _published(55.1, 79.4, 68.0, 23.3, 75.8)),
    _variant("mnasnet-os32", MNASNET),
    _variant("hrnet18-os4", HighResolution(18)),
    _variant("hrnet32-os4", HighResolution(32)),
    _variant("hrnet48-os4", HighResolution(48), _published(63.4, 81.5, 76.7, 29.6, 80.9)),
)
