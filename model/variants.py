"""Every number of every architecture, as data.

Source: Cheng et al. 2020 and the two published implementations, Detectron2's project and the original repository
(panoptic-deeplab). A size is (rows, columns); features are named by stage, res2 at stride 4 to res5 the coarsest.
"""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class ResNet:
    """Bottleneck ResNet; `stem` deeplab is three 3x3 convolutions, basic one 7x7. The stride sits in the 3x3."""

    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    stem: Literal["deeplab", "basic"] = "deeplab"
    strides: tuple[int, int, int, int] = (1, 2, 2, 2)
    res5_dilations: tuple[int, int, int] = (1, 1, 1)  # one a block


@dataclass(frozen=True)
class EfficientNetLite:
    """EfficientNet-Lite at output stride 16: seven stages of inverted residuals, ReLU6, no squeeze and excitation."""

    stem_channels: int
    expansions: tuple[int, ...]
    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    features: tuple[tuple[str, int], ...]  # (name, stage that ends in it)


Backbone = ResNet | EfficientNetLite


@dataclass(frozen=True)
class Convolutions:
    """A stack before a predictor or after a concatenation: plain kxk, or depthwise kxk and pointwise."""

    kind: Literal["plain", "separable"]
    channels: tuple[int, ...]  # outputs, one a convolution
    kernel: int


@dataclass(frozen=True)
class Aspp:
    """Atrous spatial pyramid pooling: 1x1, three dilated 3x3, image pooling; concatenated and projected."""

    channels: int
    rates: tuple[int, int, int]
    kind: Literal["plain", "separable"]
    pooling_bias: bool = True  # of the image pooling's 1x1; it has no norm


@dataclass(frozen=True)
class Decoder:
    """Coarsest feature through ASPP, then one fusion for each finer feature."""

    aspp: Aspp
    low_level: tuple[tuple[str, int], ...]  # (feature, channels after its 1x1 projection), coarse to fine
    fuse: Convolutions


@dataclass(frozen=True)
class Input:
    """What the network eats: RGB 0-255, (x - mean) / std a channel, padded at bottom and right."""

    size: tuple[int, int]  # published test size
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    divisor: int  # sides are padded to a multiple of it
    resize: Literal["shortest-edge", "fit", "none"]  # how a photograph comes to this size

    @property
    def pad_value(self) -> tuple[int, int, int]:
        """The color that normalises to zero, to the nearest byte."""
        red, green, blue = (round(value) for value in self.mean)
        return red, green, blue


@dataclass(frozen=True)
class Merging:
    """Defaults of the published merging."""

    threshold: float = 0.1
    nms_kernel: int = 7
    top_k: int = 200
    stuff_area: int = 2048  # fewer pixels of a stuff class become void
    label_divisor: int = 1000


@dataclass(frozen=True)
class Published:
    """Figures as its authors printed them, in percent."""

    pq: float
    sq: float
    rq: float
    miou: float
    ap: float
    where: str


@dataclass(frozen=True)
class Variant:
    """One network of the family."""

    name: str
    flavour: Literal["detectron2", "original", "own"]
    label_set: str
    backbone: Backbone
    semantic_decoder: Decoder
    instance_decoder: Decoder
    semantic_head: Convolutions
    center_head: Convolutions
    offset_head: Convolutions
    input: Input
    merging: Merging
    pooling_kernel: (
        tuple[int, int] | None
    )  # sliding image pooling in feature pixels; None pools the whole image
    align_corners: bool = False  # of every upsampling
    low_level_first: bool = True  # order of the concatenation in a fusion
    published: Published | None = None
    stride: int = 4  # of the heads


IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
CITYSCAPES_INPUT = Input((1024, 2048), IMAGENET_MEAN, IMAGENET_STD, divisor=1, resize="shortest-edge")
RES5_DC5 = (2, 4, 8)  # dilation 2 times the multigrid (1, 2, 4)


def _detectron2(aspp_kind: Literal["plain", "separable"], rates: tuple[int, int, int]) -> dict[str, object]:
    """Decoders and heads as Detectron2's project has them: features res3 and res2 beside the coarsest."""
    plain = aspp_kind == "plain"
    aspp = Aspp(256, rates, aspp_kind)
    low_level = (("res3", 64), ("res2", 32))

    def convolutions(width: int, out: int) -> Convolutions:
        return Convolutions("plain", (width, out), 3) if plain else Convolutions("separable", (out,), 5)

    return {
        "semantic_decoder": Decoder(aspp, low_level, convolutions(256, 256)),
        "instance_decoder": Decoder(aspp, low_level, convolutions(128, 128)),
        "semantic_head": convolutions(256, 256),
        "center_head": Convolutions("plain", (128, 32), 3),  # never separable, in dsconv variants either
        "offset_head": convolutions(128, 32),
    }


R52_DC5 = Variant(
    name="r52-dc5",
    flavour="detectron2",
    label_set="cityscapes",
    backbone=ResNet(strides=(1, 2, 2, 1), res5_dilations=RES5_DC5),
    **_detectron2("plain", (6, 12, 18)),  # type: ignore[arg-type]
    input=CITYSCAPES_INPUT,
    merging=Merging(),
    pooling_kernel=(32, 64),  # the 512x1024 training crop at stride 16
    published=Published(60.3, 81.5, 72.9, 78.2, 33.2, "Cityscapes val, 1024x2048, Detectron2's README"),
)

_LITE_ASPP = Aspp(96, (3, 6, 12), "separable")
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
    semantic_decoder=Decoder(_LITE_ASPP, (("res3", 32), ("res2", 16)), Convolutions("separable", (96,), 3)),
    instance_decoder=Decoder(_LITE_ASPP, (("res3", 16), ("res2", 16)), Convolutions("separable", (64,), 3)),
    semantic_head=Convolutions("separable", (96,), 3),
    center_head=Convolutions("separable", (32,), 3),
    offset_head=Convolutions("separable", (32,), 3),
    input=Input((384, 512), (127.0, 127.0, 127.0), (128.0, 128.0, 128.0), divisor=16, resize="fit"),
    merging=Merging(),
    pooling_kernel=None,
)

VARIANTS: dict[str, Variant] = {variant.name: variant for variant in (R52_DC5, EFFICIENTNET_LITE0)}


def find_variant(name: str) -> Variant:
    """Look a variant up by name.

    Raises: ValueError: there is no such variant; the message lists those there are.
    """
    if name not in VARIANTS:
        raise ValueError(f"there is no variant {name!r}; there are {', '.join(sorted(VARIANTS))}")
    return VARIANTS[name]


def with_pooling(variant: Variant, kernel: tuple[int, int] | None) -> Variant:
    """The same variant with another image pooling: the kernel follows the training crop, which no checkpoint tells."""
    return replace(variant, pooling_kernel=kernel)
