"""What a training starts from: weights of ours, a backbone's ImageNet file, packaged weights, or nothing."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from model.checkpoints import CheckpointError
from model.checkpoints.renaming import backbone_rules, rename
from model.checkpoints.state import find_misfits, lay_state
from model.checkpoints.weights import read_weights
from model.network.panoptic_deeplab import PanopticDeepLab
from model.training.imagenet import load_imagenet
from model.training.recipe import Recipe

RANDOM = "random"
BACKBONE = "backbone."
COUNTER = "num_batches_tracked"  # older files lack it, and nothing depends on it


def start_network(network: PanopticDeepLab, recipe: Recipe, start: str | None) -> str:
    """Fill a new network with what its training starts from.

    Args:
        start: a file, `random`, or None for the recipe's own.
    Returns: words to add to the weights' training data; none where it is the recipe's own, which tells of it.
    Raises: ValueError: the recipe starts from a file, and none is given.
            CheckpointError: the file does not fit.
    """
    if start == RANDOM:
        return "started from random weights"
    if start is not None:
        return start_from_file(network, Path(start))
    if recipe.start is not None:
        raise ValueError(
            f"recipe {recipe.name!r} starts its backbone from ImageNet weights, published: {recipe.start}. "
            "Give such a file with --start FILE, or begin from nothing with --start random."
        )
    load_imagenet(network.backbone, network.variant)
    return ""


def start_from_file(network: PanopticDeepLab, path: Path) -> str:
    """Take the whole network where the file has all of it, else its backbone.

    Raises: CheckpointError: it is no file of tensors, or has not the whole backbone.
    """
    state = _read_ours(path) if path.suffix == ".safetensors" else _read_backbone(path, network)
    if not find_misfits(network.state_dict(), state):
        network.load_state_dict(state)
        return f"started from {path.name}"
    wanted = network.backbone.state_dict()
    found = {name: state[BACKBONE + name] for name in wanted if BACKBONE + name in state}
    counters = {name: tensor for name, tensor in wanted.items() if name.endswith(COUNTER)}
    lay_state(network.backbone, counters | found, str(path))
    return f"the backbone started from {path.name}"


def _read_ours(path: Path) -> Mapping[str, Tensor]:
    return read_weights(path)[1]


def _read_backbone(path: Path, network: PanopticDeepLab) -> dict[str, Tensor]:
    """A bare state dict as torchvision and the backbones' authors publish them, in our names."""
    if not path.is_file():
        raise CheckpointError(f"there is no file {path} to start from")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} is no file of plain tensors ({str(error).splitlines()[0]}). "
            "Take a .pth state dict of the backbone, or .safetensors of ours."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path} holds no state dict. Take a .pth file of the backbone's parameters.")
    rules = backbone_rules(network.variant.backbone)
    return {rename(BACKBONE + name.removeprefix(BACKBONE), rules): tensor for name, tensor in state.items()}
