"""Variants of Detectron2's project, those of its authors' further backbones included.

Fusions and heads are plain or, in `-dsconv`, separable; ResNet and Xception are dilated to output stride 16 and
fuse res3 and res2, HRNet stays at stride 32 and fuses res4 too.
"""

from typing import Literal

from model.variants.specs import (
    Aspp,
    Backbone,
    Convolutions,
    Decoder,
    HighResolution,
    Input,
    Merging,
    Published,
    ResNet,
    Size,
    Variant,
    Xception,
)

Kind = Literal["plain", "separable"]
DataSet = Literal["cityscapes", "coco"]

TRAINING_CROPS: dict[DataSet, Size] = {"cityscapes": (512, 1024), "coco": (640, 640)}
TEST_SIZES: dict[DataSet, Size] = {"cityscapes": (1024, 2048), "coco": (640, 640)}
MERGING: dict[DataSet, Merging] = {"cityscapes": Merging(), "coco": Merging(nms_kernel=41, stuff_area=4096)}
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
IMAGENET_PAD = (124, 116, 104)

DC5 = (1, 2, 2, 1)  # strides of the stages
MULTIGRID = (2, 4, 8)  # dilation 2 times the grid (1, 2, 4), in res5
R50 = ResNet(stem="basic", strides=DC5, res5_dilations=MULTIGRID)
R52 = ResNet(strides=DC5, res5_dilations=MULTIGRID)
R103 = ResNet(blocks=(3, 4, 23, 3), strides=DC5, res5_dilations=MULTIGRID)
XCEPTION65 = Xception(exit_stride=1, last_dilation=2)


def _published(pq: float, sq: float, rq: float, miou: float, ap: float) -> Published:
    return Published(pq, sq, rq, miou, ap, "Cityscapes val, 1024x2048, Detectron2's README")


def _published_coco(pq: float, sq: float, rq: float, ap: float) -> Published:
    return Published(pq, sq, rq, None, ap, "COCO val, 640x640, Detectron2's README")


def _convolutions(kind: Kind, width: int, out: int) -> Convolutions:
    return Convolutions("plain", (width, out), 3) if kind == "plain" else Convolutions("separable", (out,), 5)


def _decoder(backbone: Backbone, kind: Kind, width: int) -> Decoder:
    """Both decoders project the finer features alike."""
    if isinstance(backbone, HighResolution):
        low_level: tuple[tuple[str, int], ...] = (("res4", 128), ("res3", 64), ("res2", 32))
        rates = (3, 6, 9)
    else:
        low_level, rates = (("res3", 64), ("res2", 32)), (6, 12, 18)
    return Decoder(Aspp(256, rates, kind), low_level, _convolutions(kind, width, width))


def _input(backbone: Backbone, data_set: DataSet) -> Input:
    gray = (128.0, 128.0, 128.0)
    xception = isinstance(backbone, Xception)
    divisors: dict[DataSet, int] = {"cityscapes": 1 if isinstance(backbone, ResNet) else 32, "coco": 640}
    return Input(
        size=TEST_SIZES[data_set],
        mean=gray if xception else IMAGENET_MEAN,
        std=gray if xception else IMAGENET_STD,
        divisor=divisors[data_set],
        resize="shortest-edge" if data_set == "cityscapes" else "fit",
        pad_value=(128, 128, 128) if xception else IMAGENET_PAD,
    )


def _variant(
    name: str,
    backbone: Backbone,
    kind: Kind,
    published: Published | None = None,
    data_set: DataSet = "cityscapes",
) -> Variant:
    stride = 32 if isinstance(backbone, HighResolution) else 16
    rows, columns = TRAINING_CROPS[data_set]
    return Variant(
        name=name,
        flavour="detectron2",
        label_set=data_set,
        backbone=backbone,
        semantic_decoder=_decoder(backbone, kind, 256),
        instance_decoder=_decoder(backbone, kind, 128),
        semantic_head=_convolutions(kind, 256, 256),
        center_head=_convolutions("plain", 128, 32),  # never separable, in -dsconv variants either
        offset_head=_convolutions(kind, 128, 32),
        input=_input(backbone, data_set),
        merging=MERGING[data_set],
        pooling_kernel=(
            rows // stride,
            columns // stride,
        ),  # the training crop in cells of the coarsest feature
        published=published,
        coarsest_stride=stride,
    )


R52_DC5 = _variant("r52-dc5", R52, "plain", _published(60.3, 81.5, 72.9, 78.2, 33.2))

ROWS: tuple[Variant, ...] = (
    _variant("r50-dc5", R50, "plain", _published(58.6, 80.9, 71.2, 75.9, 29.8)),
    _variant("r50-dc5-dsconv", R50, "separable"),
    R52_DC5,
    _variant("r52-dc5-dsconv", R52, "separable", _published(60.3, 81.0, 73.2, 78.7, 32.1)),
    _variant("r52-dc5-dsconv-coco", R52, "separable", _published_coco(35.5, 77.3, 44.7, 19.7), "coco"),
    _variant("r103-dc5", R103, "plain"),
    _variant("r103-dc5-dsconv", R103, "separable"),
    _variant("xception65-dc5", XCEPTION65, "plain", _published(62.6, 81.5, 75.7, 79.4, 32.8)),
    _variant("xception65-dc5-dsconv", XCEPTION65, "separable", _published(61.4, 81.4, 74.3, 79.8, 32.6)),
    _variant(
        "xception65-dc5-dsconv-coco", XCEPTION65, "separable", _published_coco(36.7, 77.4, 45.8, 20.5), "coco"
    ),
    _variant("hrnet18-dsconv", HighResolution(18), "separable"),
    _variant("hrnet32-dsconv", HighResolution(32), "separable"),
    _variant("hrnet48", HighResolution(48), "plain", _published(63.3, 82.2, 76.0, 80.3, 35.9)),
    _variant("hrnet48-dsconv", HighResolution(48), "separable", _published(63.4, 81.9, 76.4, 80.6, 36.2)),
    _variant(
        "hrnet48-dsconv-coco",
        HighResolution(48),
        "separable",
        _published_coco(37.8, 78.1, 46.9, 22.3),
        "coco",
    ),
)
