"""Capacity: what a bundle was measured to do on one machine, kept beside it and no part of what it promises.

The manifest lists every file that is the bundle; `capacity.json` is not among them, since it is true of one machine
only. Whoever reads a bundle passes over it, and it is believed only for the very bundle that it names.
"""

import logging
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.bundle import Bundle, BundleError, Size

FILE = "capacity.json"

log = logging.getLogger("panoptic")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(_Record):
    """Where it was measured."""

    processor: str
    cores: int = Field(ge=1)  # that the server might use
    memory_gb: float
    load: float  # average of a minute, before the measurement began


class Engine(_Record):
    """What ran the graph, as `/v1/model` tells it."""

    name: str
    device: str
    precision: str


class BucketCapacity(_Record):
    """The highest rate of photographs of a bucket's size that was kept up with."""

    bucket: Size
    images_per_s: float = Field(ge=0)
    pixels_per_s: float = Field(ge=0)  # of the photographs
    p99_ms: float = Field(ge=0)  # at this rate


class Capacity(_Record):
    """What one machine does with one bundle."""

    digest: str  # of the bundle
    measured: str  # ISO 8601, UTC
    machine: Machine
    backend: Engine
    buckets: tuple[BucketCapacity, ...]

    @property
    def pixels_per_s(self) -> float:
        """That of the bucket with the least, so that whoever scales by it is not late."""
        return min((each.pixels_per_s for each in self.buckets), default=0.0)


def read_capacity(bundle: Bundle) -> Capacity | None:
    """What was measured of this very bundle; None where nothing was, or the file is of another one or broken."""
    path = bundle.path / FILE
    try:
        capacity = Capacity.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("%s is left out of account: %s", path, str(error).splitlines()[0])
        return None
    return capacity if capacity.digest == bundle.digest else None


def write_capacity(bundle: Bundle, capacity: Capacity) -> Path:
    """Write `capacity.json` into the bundle's directory, whole or not at all.

    Raises: BundleError: the manifest lists such a file, so it is part of the bundle and not ours to write.
    """
    if FILE in bundle.manifest.files:
        raise BundleError(f"{bundle.path} lists {FILE} as its own file. Export the bundle again.")
    path = bundle.path / FILE
    part = path.with_name(f"{FILE}.part")
    part.write_text(capacity.model_dump_json(indent=2) + "\n", encoding="utf-8")
    part.replace(path)
    return path
