"""What a bundle's manifest declares of a variant: its heads, its classes, its merging."""

from typing import Literal

from model.bundle import CategorySpec, HeadsSpec, MergingSpec, OutputSpec
from model.categories import load_categories
from model.variants import Variant


def heads_spec(variant: Variant) -> HeadsSpec:
    """The three heads, at the variant's stride."""
    classes = len(load_categories(variant.label_set))
    outputs = (
        OutputSpec(name="semantic", channels=classes),
        OutputSpec(name="center", channels=1),
        OutputSpec(name="offset", channels=2),
    )
    return HeadsSpec(stride=variant.stride, align_corners=variant.align_corners, outputs=outputs)


def category_specs(variant: Variant) -> tuple[CategorySpec, ...]:
    """The classes of the variant's label set, in order of channel."""
    return tuple(
        CategorySpec(
            id=category.id,
            name=category.name,
            isthing=category.isthing,
            color=category.color,
            isvoid=category.isvoid,
        )
        for category in load_categories(variant.label_set)
    )


def merging_spec(variant: Variant, grid: Literal["input", "output"]) -> MergingSpec:
    """The variant's merging defaults on a grid."""
    numbers = variant.merging
    return MergingSpec(
        grid=grid,
        threshold=numbers.threshold,
        nms_kernel=numbers.nms_kernel,
        top_k=numbers.top_k,
        stuff_area=numbers.stuff_area,
        label_divisor=numbers.label_divisor,
    )
