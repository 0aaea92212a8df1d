"""Our own weights: a safetensors file whose metadata say which variant they are, and of what they were made."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.checkpoints import CheckpointError
from model.checkpoints.state import lay_state
from model.network.panoptic_deeplab import PanopticDeepLab
from model.variants import Variant, find_variant

VARIANT = "variant"  # the one key of the metadata that must be there


def write_weights(path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a state dict, whole or not at all.

    Args:
        weights:  names and tensors of our network's `state_dict()`, on any device.
        metadata: words about the weights; `variant` is required, and usual are `training_data`, `licence`, `steps`
            and the figures they reached.
    Raises: ValueError: the metadata name no variant, or one that there is not.
    """
    if VARIANT not in metadata:
        raise ValueError(
            f"weights need {VARIANT!r} in their metadata; found {', '.join(sorted(metadata)) or 'none'}"
        )
    find_variant(metadata[VARIANT])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    save_file(tensors, partial, metadata=dict(metadata))
    partial.replace(path)


def read_metadata(path: Path) -> dict[str, str]:
    """Read what the file says of itself, without its tensors.

    Raises: CheckpointError: it is no weights file of ours.
    """
    return _read(path, with_tensors=False)[0]


def read_weights(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read metadata and state dict.

    Raises: CheckpointError: it is no weights file of ours.
    """
    return _read(path, with_tensors=True)


def load_network(path: Path) -> PanopticDeepLab:
    """Build the network that the file names, with its weights, in eval mode.

    Raises: CheckpointError: it is no weights file of ours, or does not fit its variant.
    """
    metadata, weights = read_weights(path)
    network = PanopticDeepLab(_variant(path, metadata))
    lay_state(network, weights, str(path))
    return network.eval()


def _read(path: Path, *, with_tensors: bool) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}. Give a weights file, as `panoptic-train` writes it.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()} if with_tensors else {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is no safetensors file ({error}). Give a weights file, as `panoptic-train` writes it."
        ) from error
    if VARIANT not in metadata:
        raise CheckpointError(
            f"{path} does not say which variant it is: its metadata have "
            f"{', '.join(sorted(metadata)) or 'nothing'}. Write it with `write_weights`."
        )
    return metadata, weights


def _variant(path: Path, metadata: Mapping[str, str]) -> Variant:
    try:
        return find_variant(metadata[VARIANT])
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}. A newer program may know it.") from error
