"""A state dict laid into a network exactly, or an error that lists what does not fit."""

from collections.abc import Mapping

from torch import Tensor, nn

from model.checkpoints import CheckpointError

MAX_LISTED = 10  # names of each kind of misfit in a message
COUNTER = (
    "num_batches_tracked"  # of a batch norm; only training reads it, and other programs may leave it out
)


def lay_state(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Copy `state` into `network`; every name and shape must agree.

    Args:
        source: what the state was read from, for the message.
    Raises: CheckpointError: names are missing or unexpected, or shapes differ; at most ten of each are listed.
    """
    misfits = find_misfits(network.state_dict(), state)
    if misfits:
        raise CheckpointError(
            f"{source} does not fit the network: {'; '.join(misfits)}. Is it another variant's?"
        )
    network.load_state_dict(dict(state))


def find_misfits(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Compare names and shapes; one sentence for each kind of misfit, none where all agrees."""
    missing = [name for name in wanted if name not in found]
    unexpected = [name for name in found if name not in wanted]
    misshaped = [
        f"{name} is {_shape(found[name])} instead of {_shape(tensor)}"
        for name, tensor in wanted.items()
        if name in found and found[name].shape != tensor.shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "mis-shaped": misshaped}
    return [_sentence(kind, rows) for kind, rows in kinds.items() if rows]


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _sentence(kind: str, rows: list[str]) -> str:
    more = f" and {len(rows) - MAX_LISTED} more" if len(rows) > MAX_LISTED else ""
    return f"{len(rows)} {kind}: {', '.join(rows[:MAX_LISTED])}{more}"
