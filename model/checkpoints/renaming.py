"""Renaming parameters by rules, and the rules for backbones, whose names both flavours share.

A rule is a pattern and its replacement; all are applied, in order. A name that no rule knows comes out as something
our network lacks, so that a strict comparison lists it.
"""

import re
from collections.abc import Iterator, Sequence

from model.variants import Backbone, HighResolution, MobileNet, ResNet, Xception

Rule = tuple[str, str]

NUMBERED = (
    (r"^backbone\.conv(\d)\.", r"backbone.stem.conv\1."),
    (r"^backbone\.bn(\d)\.", r"backbone.stem.conv\1.norm."),
    (r"\.bn(\d)\.", r".conv\1.norm."),
    (r"\.downsample\.0\.", ".shortcut."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
)
RESNET = (*NUMBERED, *((rf"^backbone\.layer{n}\.", f"backbone.res{n + 1}.") for n in range(1, 5)))
XCEPTION = (
    *NUMBERED,
    (r"(\.block\d+)\.conv\.", r"\1.shortcut."),
    (r"(\.block\d+)\.bn\.", r"\1.shortcut.norm."),
    (r"\.sep_conv(\d)\.block\.", r".separable\1."),
    (r"\.bn_depth\.", ".depthwise.norm."),
    (r"\.bn_point\.", ".pointwise.norm."),
)
HIGH_RESOLUTION = (
    *NUMBERED,
    (r"\.transition1\.0\.", ".transition1.0.0."),  # a stack of one, written like the others
    (r"\.transition1\.([01])\.0\.", r".transition1.\1."),
    (r"\.transition([23])\.\d\.0\.", r".transition\1."),
    (r"(\.transition1\.\d|\.transition[23])\.0\.", r"\1.conv."),
    (r"(\.transition1\.\d|\.transition[23])\.1\.", r"\1.norm."),
    (r"\.fuse_layers\.", ".paths."),
    (r"(\.paths\.[\d.]+)\.0\.(?=\w+$)", r"\1.conv."),
    (r"(\.paths\.[\d.]+)\.1\.(?=\w+$)", r"\1.norm."),
)
CONVOLUTION = (r"(?<!\.norm)(?<!\.conv)(?<!\.predictor)(?<!\.aspp\.pool)\.weight$", ".conv.weight")


def rename(name: str, rules: Sequence[Rule]) -> str:
    """Apply the rules; at last a weight that is neither a norm's nor a bare convolution's gets its `conv`."""
    for pattern, replacement in (*rules, CONVOLUTION):
        name = re.sub(pattern, replacement, name)
    return name


def backbone_rules(spec: Backbone) -> tuple[Rule, ...]:
    """The rules for a backbone's names as its authors wrote them; none for one of ours."""
    if isinstance(spec, ResNet):
        return RESNET
    if isinstance(spec, Xception):
        return XCEPTION
    if isinstance(spec, HighResolution):
        return HIGH_RESOLUTION
    return tuple(_mobilenet_rules(spec)) if isinstance(spec, MobileNet) else ()


def _mobilenet_rules(spec: MobileNet) -> Iterator[Rule]:
    """Rules for torchvision's MobileNetV2, which counts blocks through, and its MNASNet, which counts stages."""
    yield from _pair("backbone.features.0", 0, "backbone.stem")
    yield from _pair("backbone.layers", 0, "backbone.stem")
    number = 0
    for stage, count in enumerate(spec.blocks):
        for block in range(count):
            number += 1
            ours = f"backbone.stages.{stage}.{block}.layers"
            expanded = spec.expansions[stage] != 1
            yield from _mobilenet_v2_block(f"backbone.features.{number}.conv", ours, expanded=expanded)
            if expanded:
                yield from _mnasnet_block(f"backbone.layers.{7 + stage}.{block}.layers", ours)
            else:
                yield from _pair("backbone.layers", 3, f"{ours}.depthwise")
                yield from _pair("backbone.layers", 6, f"{ours}.project")


def _mobilenet_v2_block(theirs: str, ours: str, *, expanded: bool) -> Iterator[Rule]:
    parts = ("expand", "depthwise") if expanded else ("depthwise",)
    for index, part in enumerate(parts):
        yield from _pair(f"{theirs}.{index}", 0, f"{ours}.{part}")
    yield from _pair(theirs, len(parts), f"{ours}.project")


def _mnasnet_block(theirs: str, ours: str) -> Iterator[Rule]:
    for index, part in enumerate(("expand", "depthwise", "project")):
        yield from _pair(theirs, 3 * index, f"{ours}.{part}")


def _pair(theirs: str, first: int, ours: str) -> Iterator[Rule]:
    """A convolution and its norm, which stand one after the other in a stack."""
    for index, part in ((first, "conv"), (first + 1, "norm")):
        yield rf"^{re.escape(theirs)}\.{index}\.(?=\D)", f"{ours}.{part}."
