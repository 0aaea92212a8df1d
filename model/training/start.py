"""What a training starts from: weights of ours, a backbone's ImageNet file, packaged weights, or nothing."""

from pathlib import Path

from model.checkpoints.backbones import PREFIX, load_backbone
from model.checkpoints.containers import read_state
from model.checkpoints.state import find_misfits, lay_state
from model.checkpoints.weights import VARIANT
from model.network.panoptic_deeplab import PanopticDeepLab
from model.training.imagenet import load_imagenet
from model.training.recipe import Recipe

RANDOM = "random"


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
    file = read_state(path)
    if VARIANT not in file.metadata:  # not ours
        load_backbone(path, network.backbone, network.variant.backbone)
        return f"the backbone started from {path.name}"
    if not find_misfits(network.state_dict(), file.tensors):
        network.load_state_dict(file.tensors)
        return f"started from {path.name}"
    wanted = network.backbone.state_dict()
    found = {name: file.tensors[PREFIX + name] for name in wanted if PREFIX + name in file.tensors}
    lay_state(network.backbone, found, str(path))
    return f"the backbone started from {path.name}"
