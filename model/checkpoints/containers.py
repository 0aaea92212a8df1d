"""State dicts out of files of any kind we know: which kind it is, the content says, not the file's name.

Known are safetensors, Detectron2's pickles of numpy arrays, and what `torch.save` writes. A state dict lies bare, under
"model" (Detectron2) or under "state_dict" (the original repository).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from model.checkpoints import CheckpointError
from model.checkpoints.pickles import PickledArray, read_pickle
from model.checkpoints.torch_files import OLDER, read_torch_file

WRAPPERS = ("model", "state_dict")
PARALLEL = "module."  # what DataParallel puts before every name
KINDS = "our own .safetensors, Detectron2's .pkl and .pth, the original repository's .pth and .pth.tar"


@dataclass(frozen=True)
class State:
    """What a file holds."""

    tensors: dict[str, Tensor]  # names as in the file, without DataParallel's prefix
    metadata: dict[str, str] = field(default_factory=dict)  # words of a safetensors file


def read_state(path: Path) -> State:
    """Read a file's state dict. Nothing in the file is run.

    Raises: CheckpointError: there is no such file, it is of no kind we know, holds no state dict, or would have to
        be run.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}. Give a weights file: {KINDS}.")
    try:
        return _reader(path)(path)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} is refused: {error}. Reading executes nothing; known are {KINDS}."
        ) from error


def _reader(path: Path) -> Callable[[Path], State]:
    with path.open("rb") as file:
        head = file.read(len(OLDER))
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return _read_safetensors
    if head.startswith((b"PK\x03\x04", OLDER)):
        return lambda path: State(_tensors(read_torch_file(path)))
    if head.startswith(b"\x80"):
        return lambda path: State(_tensors(read_pickle(path.read_bytes())))
    raise CheckpointError("it is neither safetensors nor a pickle nor an archive of torch's")


def _read_safetensors(path: Path) -> State:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return State(_without_prefix(tensors), file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"it is a broken safetensors file ({error})") from error


def _tensors(found: object) -> dict[str, Tensor]:
    """The state dict in what was read."""
    if isinstance(found, Mapping):
        wrapped = [found[name] for name in WRAPPERS if isinstance(found.get(name), Mapping)]
        found = wrapped[0] if wrapped else found
    if not isinstance(found, Mapping) or not found:
        raise CheckpointError("it holds no state dict, bare or under 'model' or 'state_dict'")
    if not all(isinstance(name, str) for name in found):
        raise CheckpointError("its state dict has names that are no text")
    strangers = [name[:80] for name, value in found.items() if not isinstance(value, Tensor | PickledArray)]
    if strangers:
        raise CheckpointError(f"its state dict holds things that are no tensors, such as {strangers[0]!r}")
    return _without_prefix(
        {
            name: value if isinstance(value, Tensor) else torch.from_numpy(value.array)
            for name, value in found.items()
        }
    )


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if all(name.startswith(PARALLEL) for name in tensors):
        return {name.removeprefix(PARALLEL): tensor for name, tensor in tensors.items()}
    return tensors
