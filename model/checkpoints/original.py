"""The original repository's names for our parameters; rules rename them."""

from collections.abc import Mapping

from torch import Tensor

from model.checkpoints.renaming import Rule, backbone_rules, rename
from model.variants import Decoder, Variant

# Between the two decoders' own rules and the end.
RULES: tuple[Rule, ...] = (
    (r"^decoder\.(\w+)_decoder\.aspp\.convs\.4\.aspp_pooling\.1\.", r"\1_decoder.aspp.pool."),
    (r"^decoder\.(\w+)_decoder\.aspp\.convs\.", r"\1_decoder.aspp.branches."),
    (r"^decoder\.(\w+)_decoder\.aspp\.project\.", r"\1_decoder.aspp.project."),
    (r"^decoder\.\w+_head\.classifier\.(\w+)\.1\.", r"\1_head.predictor."),
    (r"^decoder\.\w+_head\.classifier\.(\w+)\.0\.0\.", r"\1_head.layers."),
    (r"\.(fuse|layers)\.0\.0\.", r".\1.depthwise.conv."),
    (r"\.(fuse|layers)\.0\.1\.", r".\1.depthwise.norm."),
    (r"\.(fuse|layers)\.1\.", r".\1.pointwise.conv."),
    (r"\.(fuse|layers)\.2\.", r".\1.pointwise.norm."),
    (r"(\.aspp\.branches\.\d|\.project)\.0\.", r"\1.conv."),
    (r"(\.aspp\.branches\.\d|\.project)\.1\.", r"\1.norm."),
)


def our_name(name: str, variant: Variant) -> str:
    """Rename one parameter of a variant; a name that no rule knows comes out as something our network lacks."""
    if name.startswith("backbone."):
        return rename(name, backbone_rules(variant.backbone))
    return rename(name, (*_decoder_rules(variant), *RULES))


def our_names(state: Mapping[str, Tensor], variant: Variant) -> dict[str, Tensor]:
    """Rename a state dict."""
    return {our_name(name, variant): tensor for name, tensor in state.items()}


def _decoder_rules(variant: Variant) -> list[Rule]:
    decoders = {"semantic": variant.semantic_decoder, "instance": variant.instance_decoder}
    return [rule for name, decoder in decoders.items() for rule in _stage_rules(name, decoder)]


def _stage_rules(name: str, decoder: Decoder) -> list[Rule]:
    """Their stages are counted, ours have their feature's name."""
    rules = []
    for index, (feature, _) in enumerate(decoder.low_level):
        ours = f"{name}_decoder.stages.{feature}"
        rules.append((rf"^decoder\.{name}_decoder\.project\.{index}\.", f"{ours}.project."))
        rules.append((rf"^decoder\.{name}_decoder\.fuse\.{index}\.0\.", f"{ours}.fuse."))
    return rules
