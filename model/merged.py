"""Graphs with the merging in them: where they lie beside a bundle, what comes out of them, and when they are believed.

They lie in the bundle's directory `merged/`, one a bucket, are not in its manifest, and can be made anew at any time:
they are a cache of its graph, as engines are.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from model.bundle import MODEL, Bundle, BundleError, FileEntry, MergingSpec, Size, file_entry

MERGED = "merged"  # the directory, in the bundle's
MAPS = ("classes", "instances")
TABLES = ("places", "heat", "sampled", "whole", "sound")


class MergedRecord(BaseModel):
    """All that a graph with the merging in it depends on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    model_sha256: str  # of the bundle's graph
    bucket: Size
    merging: MergingSpec
    graph: FileEntry  # of the graph itself


def merged_folder(bundle: Bundle) -> Path:
    """The directory of a bundle's graphs with the merging in them."""
    return bundle.path / MERGED


def merged_name(bucket: Size) -> str:
    """The file of a bucket."""
    return f"{bucket[0]}x{bucket[1]}.onnx"


def record_path(graph: Path) -> Path:
    """Where the record of a graph lies."""
    return graph.with_suffix(".json")


def find_merged(bundle: Bundle, bucket: Size) -> Path:
    """The graph of a bucket, checked against its record, and that against the bundle.

    Raises: BundleError: there is none, it is damaged, or it was made of something else.
    """
    path = merged_folder(bundle) / merged_name(bucket)
    again = f"Make it by `panoptic-export merge {bundle.path}`."
    for each in (path, record_path(path)):
        if not each.is_file():
            raise BundleError(f"There is no {each}, which merging in the graph needs. {again}")
    try:
        record = MergedRecord.model_validate_json(record_path(path).read_bytes())
    except ValidationError as error:
        raise BundleError(f"{record_path(path)} is no record that this program can read. {again}") from error
    if record.graph != file_entry(path):
        raise BundleError(f"{path} is not the file that its record tells of. Do not trust it. {again}")
    manifest = bundle.manifest
    made_of = (record.model_sha256, record.bucket, record.merging)
    if made_of != (manifest.files[MODEL].sha256, bucket, manifest.merging):
        raise BundleError(
            f"{path} was made of another graph, or for another merging, than the bundle's. {again}"
        )
    return path
