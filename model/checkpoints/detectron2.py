"""Detectron2's files: its parameter names are ours under other names; rules rename them.

A file is a dictionary with the state dict under "model", as Detectron2's trainer writes it, or a bare state dict.
"""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from model.checkpoints import CheckpointError
from model.checkpoints.renaming import Rule, backbone_rules, rename
from model.checkpoints.state import lay_state
from model.network.panoptic_deeplab import PanopticDeepLab
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


def load_detectron2(path: Path, variant: Variant) -> PanopticDeepLab:
    """Build the variant with the file's weights, in eval mode.

    Raises: CheckpointError: it is no file of tensors, or does not fit the variant.
    """
    network = PanopticDeepLab(variant)
    lay_state(network, our_names(_read_tensors(path), variant), str(path))
    return network.eval()


def _read_tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}. Give a .pth file of Detectron2's.")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path} is no file of plain tensors ({reason}). Only those are read, for reading executes nothing."
        ) from error
    state = found.get("model", found) if isinstance(found, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(
            f"{path} holds no state dict, bare or under 'model'. Give a .pth file of Detectron2's."
        )
    return state
