"""What a variant is made of: backbone, decoders, heads, input, merging, figures.

Source: Cheng et al. 2020 and the two published implementations, Detectron2's project and the original repository
(panoptic-deeplab). A size is (rows, columns); features are named by stage, res2 at stride 4 to res5 the coarsest.
"""

from dataclasses import dataclass
from typing import Literal

Size = tuple[int, int]
STRIDES = {"res2": 4, "res3": 8, "res4": 16}  # of the features that decoders fuse


@dataclass(frozen=True)
class ResNet:
    """Bottleneck ResNet; `stem` deeplab is three 3x3 convolutions, basic one 7x7. The stride sits in the 3x3."""

    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    stem: Literal["deeplab", "basic"] = "deeplab"
    strides: tuple[int, int, int, int] = (1, 2, 2, 2)
    res5_dilations: tuple[int, int, int] = (1, 1, 1)  # one a block
    groups: int = 1  # of the 3x3; more than one is ResNeXt
    group_width: int = 64  # channels a group of the first stage, doubled from stage to stage


@dataclass(frozen=True)
class Xception:
    """Xception of DeepLab; res2 and res3 are taken inside of blocks, before their strides."""

    stem: tuple[int, int] = (32, 64)
    entry: tuple[int, int, int] = (128, 256, 728)  # blocks 1 to 3, each at stride 2
    middle_blocks: int = 16
    exit: tuple[int, int, int] = (728, 1024, 1024)  # the last block but one
    last: tuple[int, int, int] = (1536, 1536, 2048)
    exit_stride: int = 2
    last_dilation: int = 1


@dataclass(frozen=True)
class HighResolution:
    """HRNet: parallel branches at strides 4, 8, 16 and 32, each twice as wide as the one before."""

    width: int  # of the finest branch
    stem_channels: int = 64
    bottlenecks: int = 4  # of the first stage
    exchanges: tuple[int, int, int] = (1, 4, 3)  # modules of the stages with 2, 3 and 4 branches
    blocks: int = 4  # a branch a module


@dataclass(frozen=True)
class MobileNet:
    """Stages of inverted residuals at output stride 32, as in MobileNetV2 and MNASNet."""

    stem_channels: int
    expansions: tuple[int, ...]
    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    activation: Literal["relu", "relu6"]
    features: tuple[tuple[str, int], ...]  # (name, stage that ends in it)


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


Backbone = ResNet | Xception | HighResolution | MobileNet | EfficientNetLite


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
    dropout: float = 0.1  # after the projection, in training


@dataclass(frozen=True)
class Decoder:
    """Coarsest feature through ASPP, then one fusion for each finer feature."""

    aspp: Aspp
    low_level: tuple[tuple[str, int], ...]  # (feature, channels after its 1x1 projection), coarse to fine
    fuse: Convolutions


@dataclass(frozen=True)
class Input:
    """What the network eats: RGB 0-255, (x - mean) / std a channel, padded at bottom and right."""

    size: Size  # published test size
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    divisor: int  # sides are padded to a multiple of it
    resize: Literal["shortest-edge", "fit", "none"]  # how a photograph comes to this size
    pad_value: tuple[int, int, int]  # the mean as bytes, as its authors round it


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
    """Figures as its authors printed them, in percent; None where they printed none."""

    pq: float
    sq: float
    rq: float
    miou: float | None
    ap: float | None  # of masks, scored by class probability times heat
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
    pooling_kernel: Size | None  # sliding image pooling in feature pixels; None pools the whole image
    align_corners: bool = False  # of every upsampling in decoders and after the heads
    low_level_first: bool = True  # order of the concatenation in a fusion
    published: Published | None = None
    stride: int = 4  # of the heads
    coarsest_stride: int = 16  # of the feature that goes through ASPP
