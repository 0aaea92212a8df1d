"""Detectron2's names for our parameters; rules rename them."""

from collections.abc import Mapping

from torch import Tensor

from model.checkpoints.renaming import Rule, backbone_rules, rename
from model.variants import Variant

DROPPED = ("pixel_mean", "pixel_std")  # buffers of files before 2021-02; the variant's input holds them

RULES: tuple[Rule, ...] = (
    (r"^sem_seg_head\.decoder\.", "semantic_decoder.stages."),
    (r"^ins_embed_head\.decoder\.", "instance_decoder.stages."),
    (r"\.stages\.res\d\.project_conv\.convs\.4\.1\.", ".aspp.pool."),
    (r"\.stages\.res\d\.project_conv\.convs\.", ".aspp.branches."),
    (r"\.stages\.res\d\.project_conv\.project\.", ".aspp.project."),
    (r"\.project_conv\.", ".project."),
    (r"\.fuse_conv\.", ".fuse."),
    (r"^sem_seg_head\.head\.", "semantic_head.layers."),
    (r"^sem_seg_head\.predictor\.", "semantic_head.predictor."),
    (r"^ins_embed_head\.(center|offset)_head\.", r"\1_head.layers."),
    (r"^ins_embed_head\.(center|offset)_predictor\.", r"\1_head.predictor."),
)


def our_name(name: str, variant: Variant) -> str:
    """Rename one parameter of a variant; a name that no rule knows comes out as something our network lacks."""
    if name.startswith("backbone."):
        return rename(name, backbone_rules(variant.backbone))
    return rename(name, RULES)


def our_names(state: Mapping[str, Tensor], variant: Variant) -> dict[str, Tensor]:
    """Rename a state dict, without what we do not keep."""
    return {our_name(name, variant): tensor for name, tensor in state.items() if name not in DROPPED}
