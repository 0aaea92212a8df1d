"""Every number of every architecture, as data.

`specs` says what a variant is made of; `detectron2`, `original` and `own` hold the rows, one file a flavour.
"""

from dataclasses import replace

from model.variants import detectron2, original, own
from model.variants.detectron2 import R52_DC5
from model.variants.own import EFFICIENTNET_LITE0
from model.variants.specs import (
    STRIDES,
    Aspp,
    Backbone,
    Convolutions,
    Decoder,
    EfficientNetLite,
    HighResolution,
    Input,
    Merging,
    MobileNet,
    Published,
    ResNet,
    Variant,
    Xception,
)

__all__ = [
    "EFFICIENTNET_LITE0",
    "R52_DC5",
    "STRIDES",
    "VARIANTS",
    "Aspp",
    "Backbone",
    "Convolutions",
    "Decoder",
    "EfficientNetLite",
    "HighResolution",
    "Input",
    "Merging",
    "MobileNet",
    "Published",
    "ResNet",
    "Variant",
    "Xception",
    "find_variant",
    "with_pooling",
]

VARIANTS: dict[str, Variant] = {
    variant.name: variant for variant in (*detectron2.ROWS, *original.ROWS, *own.ROWS)
}


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
