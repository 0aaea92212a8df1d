"""Names that goldens and key manifests give to variants, and the converters of their flavours."""

from model.checkpoints import detectron2, original
from model.variants import Variant, find_variant

VARIANT_NAMES = {  # (flavour, name) in goldens and key manifests: ours
    ("d2", "r50"): "r50-dc5",
    ("d2", "r50-dsconv"): "r50-dc5-dsconv",
    ("d2", "r52"): "r52-dc5",
    ("d2", "r52-dsconv"): "r52-dc5-dsconv",
    ("d2", "r52-dsconv-coco"): "r52-dc5-dsconv-coco",
    ("d2", "r103"): "r103-dc5",
    ("d2", "r103-dsconv"): "r103-dc5-dsconv",
    ("d2", "x65"): "xception65-dc5",
    ("d2", "x65-dsconv"): "xception65-dc5-dsconv",
    ("d2", "x65-dsconv-coco"): "xception65-dc5-dsconv-coco",
    ("d2", "h18-dsconv"): "hrnet18-dsconv",
    ("d2", "h32-dsconv"): "hrnet32-dsconv",
    ("d2", "h48"): "hrnet48",
    ("d2", "h48-dsconv"): "hrnet48-dsconv",
    ("d2", "h48-dsconv-coco"): "hrnet48-dsconv-coco",
    ("old", "r50-os32"): "r50-os32",
    ("old", "r50-os16-base"): "r50-os16",
    ("old", "r101-os32"): "r101-os32",
    ("old", "x101-32x8d-os32"): "resnext101-os32",
    ("old", "x65-os32"): "xception65-os32",
    ("old", "mbnv2-os32"): "mobilenet-v2-os32",
    ("old", "mnasnet1_0-os32"): "mnasnet-os32",
    ("old", "h18-os4"): "hrnet18-os4",
    ("old", "h32-os4"): "hrnet32-os4",
    ("old", "h48-os4"): "hrnet48-os4",
}


def our_variant(flavour: str, name: str) -> Variant | None:
    """The variant behind a golden's name, where we have it."""
    ours = VARIANT_NAMES.get((flavour, name))
    return None if ours is None else find_variant(ours)


def our_name(name: str, variant: Variant) -> str:
    """A published parameter's name, by the rules of the variant's flavour."""
    convert = original.our_name if variant.flavour == "original" else detectron2.our_name
    return convert(name, variant)
