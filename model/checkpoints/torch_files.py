"""Files of `torch.save`, zip archives and the older kind, read with `weights_only`: nothing in them is run.

Torch's own reader takes an archive's word for sizes, and lets a file make byte strings of any length; both are
checked first. Not guarded: what a fault in torch's reader would let through.
"""

import pickletools
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import BinaryIO

import torch

from model.checkpoints import CheckpointError

OLDER = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the pickled number that begins a file from before torch 1.6
OLDER_PICKLES = 5  # number, protocol, machine, the object, names of storages
MAKERS_OF_BYTES = (
    "builtins bytearray",
    "__builtin__ bytearray",
    "_codecs encode",
)  # of a length no data stand for
NAME = re.compile(r"(?:GLOBAL|global:?|class|function|instruction)\s+([\w.]+\.\w+)")


def read_torch_file(path: Path) -> object:
    """Read tensors and plain containers.

    Raises: CheckpointError: it asks for anything else, its sizes contradict the file, or it is broken.
    """
    try:
        for pickle in _pickles(path):
            _check_names(pickle)
        return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        name = NAME.search(str(error))
        reason = f"it asks for {name[1]!r}" if name else "it is a broken pickle"
        raise CheckpointError(f"{reason}; only tensors and plain containers are read") from error
    except (zipfile.BadZipFile, RuntimeError, EOFError, LookupError, ValueError, TypeError) as error:
        raise CheckpointError(f"it is a broken file of torch's ({str(error).splitlines()[0]})") from error


def _pickles(path: Path) -> Iterator[BinaryIO]:
    """The streams of pickles in a file."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise CheckpointError("its archive unpacks to more than the file holds, which torch never writes")
        for entry in entries:
            if entry.filename.endswith(".pkl"):
                yield BytesIO(archive.read(entry))


def _check_names(stream: BinaryIO) -> None:
    for _ in range(OLDER_PICKLES):
        for instruction, argument, _ in pickletools.genops(stream):
            if instruction.name == "GLOBAL" and argument in MAKERS_OF_BYTES:
                raise CheckpointError(
                    f"it asks for {argument.replace(' ', '.')!r}, which no file of tensors needs"
                )
        if isinstance(stream, BytesIO):
            return
