"""The record beside a built engine: what it was built of, with, and for.

An engine runs only where it was built for, and its bytes say none of that to a reader. So `NAME.engine` has a
`NAME.json` beside it, and a program that loads the one checks the other first. Engines lie in the bundle's directory
`engines/`, are not in its manifest, and can be built anew at any time: they are a cache of its graph.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.bundle import MODEL, Bundle, Precision, Size, file_entry

ENGINES = "engines"  # the directory, in the bundle's
Target = Literal["tensorrt", "tensorrt-rtx"]


class EngineError(Exception):
    """An engine is missing, damaged, or was built for something else; the message says what to do."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Profile(_Record):
    """The shapes that one optimisation profile takes: a bucket, in every batch from least to most."""

    bucket: Size
    least: int = Field(ge=1)
    best: int = Field(ge=1)  # what the kernels were chosen for
    most: int = Field(ge=1)


class EngineRecord(_Record):
    """All that an engine depends on."""

    format: Literal[1] = 1
    target: Target
    runtime: str  # version of TensorRT
    device: str | None  # the GPU's name; None: built without one, for all that the runtime knows
    compute_capability: str | None  # "9.0" for one; None likewise
    precision: Precision
    profiles: tuple[Profile, ...] = Field(min_length=1)
    model_sha256: str  # of the bundle's graph
    graph_sha256: str  # of the graph that was built: the bundle's, in this precision
    flags: tuple[str, ...]  # of the builder
    sha256: str  # of the engine
    size: int = Field(ge=0)  # bytes
    seconds: float  # that building took


def engine_path(folder: Path, target: Target, precision: Precision) -> Path:
    """Where an engine lies in a directory of engines."""
    return folder / f"{target}-{precision}.engine"


def record_path(engine: Path) -> Path:
    """Where the record of an engine lies."""
    return engine.with_suffix(".json")


def usual_folder(bundle: Bundle) -> Path:
    """The directory of a bundle's engines."""
    return bundle.path / ENGINES


def read_record(engine: Path) -> EngineRecord:
    """Read an engine's record, and verify the engine's size and hash by it.

    Raises: EngineError: either is missing or damaged.
    """
    path = record_path(engine)
    for each in (engine, path):
        if not each.is_file():
            raise EngineError(f"There is no {each}. Build it with `panoptic-export engine`.")
    try:
        record = EngineRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise EngineError(
            f"{path} is no record of an engine: {error.errors()[0]['msg']}. Build it again with "
            "`panoptic-export engine --anew`."
        ) from error
    entry = file_entry(engine)
    if (entry.size, entry.sha256) != (record.size, record.sha256):
        raise EngineError(
            f"{engine} is not the file that its record tells. Do not trust it; build it again with "
            "`panoptic-export engine --anew`."
        )
    return record


def misfits(
    record: EngineRecord,
    bundle: Bundle,
    *,
    runtime: str,
    device: str | None,
    compute_capability: str | None,
) -> list[str]:
    """What an engine was built for and is not here, a clause for each; none: it may be used.

    Args:
        runtime: version of TensorRT here.
        device, compute_capability: of the GPU here; None is not compared.
    """
    pairs = [
        ("the graph", record.model_sha256[:12], bundle.manifest.files[MODEL].sha256[:12]),
        ("TensorRT", record.runtime, runtime),
    ]
    if record.device is not None and device is not None:
        pairs += [("the GPU", record.device, device)]
    if record.compute_capability is not None and compute_capability is not None:
        pairs += [("compute capability", record.compute_capability, compute_capability)]
    found = [f"{what} was {built}, here it is {here}" for what, built, here in pairs if built != here]
    spec = bundle.manifest.input
    taken = {profile.bucket: profile.most for profile in record.profiles}
    for bucket in spec.buckets:
        if taken.get(bucket, 0) < spec.batch_sizes[-1]:
            found.append(f"{bucket[0]}x{bucket[1]} in batches up to {spec.batch_sizes[-1]} has no profile")
    return found
