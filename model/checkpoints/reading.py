"""A weights file of any kind, ours or a published one, read, recognised and laid into its network."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from model.checkpoints import CheckpointError
from model.checkpoints.containers import State, read_state
from model.checkpoints.detectron2 import DROPPED
from model.checkpoints.recognition import choose_variant, convert, misfits
from model.checkpoints.state import COUNTER, lay_state
from model.checkpoints.weights import VARIANT
from model.network.panoptic_deeplab import PanopticDeepLab
from model.variants import Variant, find_variant


@dataclass(frozen=True)
class Checkpoint:
    """Weights with our names, and what their file says of them."""

    path: Path
    variant: Variant
    metadata: dict[str, str]  # words; a foreign file has none
    tensors: dict[str, Tensor]

    def network(self, variant: Variant | None = None) -> PanopticDeepLab:
        """The network with these weights, in eval mode.

        Args:
            variant: the same one with another pooling, where that is wanted.
        """
        network = PanopticDeepLab(variant or self.variant)
        lay_state(network, self.tensors, str(self.path))
        return network.eval()


def read_checkpoint(path: Path, variant: Variant | None = None) -> Checkpoint:
    """Read a weights file of any kind. Nothing in the file is run.

    Args:
        variant: which it is, where its names and shapes leave that open; None recognises it.

    Raises: CheckpointError: the file is unusable or fits no variant, or not the one that was said.
    """
    state = read_state(path)
    try:
        chosen = _variant(state, variant)
        _check_normalisation(state, chosen)
        renamed = convert(state.tensors, chosen)
        if found := misfits(renamed, chosen):
            raise CheckpointError(
                f"it does not fit {chosen.name}: {'; '.join(found)}. Is it another variant's?"
            )
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return Checkpoint(path, chosen, state.metadata, _with_counts(renamed))


def _variant(state: State, said: Variant | None) -> Variant:
    """The variant that is said, else the one our own metadata tell, else the one that names and shapes tell."""
    told = state.metadata.get(VARIANT)
    if told is not None:
        try:
            told_variant = find_variant(told)
        except ValueError as error:
            raise CheckpointError(f"{error}. A newer program may know it.") from error
        if said is not None and said != told_variant:
            raise CheckpointError(f"it says that it is {told}, not {said.name}.")
        return told_variant
    return said or choose_variant(state.tensors)


def _check_normalisation(state: State, variant: Variant) -> None:
    """Files before 2021-02 hold mean and deviation; they must be those that we feed the network by."""
    for name, wanted in zip(DROPPED, (variant.input.mean, variant.input.std), strict=True):
        found = state.tensors.get(name)
        if found is not None and not _same(found, wanted):
            numbers = ", ".join(f"{value:g}" for value in found.flatten().tolist()[:4])
            raise CheckpointError(
                f"its {name} is {numbers}, that of {variant.name} {', '.join(f'{value:g}' for value in wanted)},"
                " in RGB. Only networks trained with the published normalisation are read."
            )


def _same(found: Tensor, wanted: tuple[float, ...]) -> bool:
    return found.numel() == len(wanted) and torch.allclose(
        found.flatten().float(), torch.tensor(wanted), atol=1e-3
    )


def _with_counts(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the counts of batches that files of other programs may lack; answers do not depend on them."""
    norms = {name.removesuffix("running_var") for name in tensors if name.endswith("running_var")}
    return {f"{norm}{COUNTER}": torch.tensor(0) for norm in norms} | tensors
