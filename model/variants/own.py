"""Variants of our own."""

from model.variants.specs import Aspp, Convolutions, Decoder, EfficientNetLite, Input, Merging, Variant

_ASPP = Aspp(96, (3, 6, 12), "separable")

EFFICIENTNET_LITE0 = Variant(
    name="efficientnet-lite0",
    flavour="own",
    label_set="street",
    backbone=EfficientNetLite(
        stem_channels=32,
        expansions=(1, 6, 6, 6, 6, 6, 6),
        channels=(16, 24, 40, 80, 112, 192, 320),
        blocks=(1, 2, 2, 3, 3, 4, 1),
        kernels=(3, 3, 5, 3, 5, 5, 3),
        strides=(1, 2, 2, 2, 1, 1, 1),  # the sixth stage's stride 2 given up for output stride 16
        dilations=(1, 1, 1, 1, 1, 2, 2),  # from the sixth stage's second block on
        features=(("res2", 2), ("res3", 3), ("res5", 7)),
    ),
    semantic_decoder=Decoder(_ASPP, (("res3", 32), ("res2", 16)), Convolutions("separable", (96,), 3)),
    instance_decoder=Decoder(_ASPP, (("res3", 16), ("res2", 16)), Convolutions("separable", (64,), 3)),
    semantic_head=Convolutions("separable", (96,), 3),
    center_head=Convolutions("separable", (32,), 3),
    offset_head=Convolutions("separable", (32,), 3),
    input=Input(
        size=(384, 512),
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
        divisor=16,
        resize="fit",
        pad_value=(127, 127, 127),
    ),
    merging=Merging(),
    pooling_kernel=None,
)

ROWS: tuple[Variant, ...] = (EFFICIENTNET_LITE0,)
