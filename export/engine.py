"""An engine of a bundle: TensorRT's program for its graph, in a precision, with the record that makes it checkable."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from filelock import FileLock, Timeout

from export import ExportError
from export.precision import graph_in
from export.tensorrt import Report, Runtime, build, open_runtime
from model.accelerator import Accelerator, AcceleratorError, find_accelerator
from model.bundle import MODEL, Bundle, Precision, Size
from model.engine import (
    EngineError,
    EngineRecord,
    Profile,
    Target,
    engine_path,
    misfits,
    read_record,
    record_path,
)

log = logging.getLogger("panoptic.export")

LOCK = ".lock"
TIMINGS = "timings-{}.cache"  # beside the engines, by target


@dataclass(frozen=True)
class Order:
    """Which engine is wanted."""

    target: Target
    precision: Precision
    tf32: bool = False
    anew: bool = False  # build even where one fits
    device: int = 0
    patience_s: float = 3600  # to wait for another builder


@dataclass(frozen=True)
class Built:
    """An engine and its record."""

    path: Path
    record: EngineRecord
    reused: bool  # it was there, and fits


def write_engine(
    bundle: Bundle,
    folder: Path,
    order: Order,
    report: Report,
    *,
    open_: Callable[[Target], Runtime] = open_runtime,
) -> Built:
    """Build an engine into a directory, whole or not at all; where one that fits is there already, keep it.

    Two builders of one directory wait for each other, and the second finds what the first made.

    Raises: ExportError: TensorRT or the GPU cannot be used, the bundle is not of that precision, the graph is
        refused, or another builder holds the directory too long.
    """
    runtime = open_(order.target)
    device = _device(order)
    folder.mkdir(parents=True, exist_ok=True)
    path = engine_path(folder, order.target, order.precision)
    try:
        with FileLock(folder / LOCK, timeout=order.patience_s):
            if not order.anew and (record := _fitting(path, bundle, order, runtime, device)):
                return Built(path, record, reused=True)
            return Built(path, _build(bundle, path, order, runtime, device, report), reused=False)
    except Timeout as error:
        raise ExportError(
            f"Another program has been building in {folder} for {order.patience_s:.0f} s. Wait for it, or give --out "
            "another directory."
        ) from error


def profiles_of(bundle: Bundle) -> tuple[Profile, ...]:
    """One profile a bucket, in all of the bundle's batches."""
    return profiles_for(bundle.manifest.input.buckets, bundle.manifest.input.batch_sizes)


def profiles_for(buckets: Sequence[Size], batch_sizes: Sequence[int]) -> tuple[Profile, ...]:
    """One profile a bucket; kernels are chosen for the largest of the batches, which ascend."""
    least, most = batch_sizes[0], batch_sizes[-1]
    return tuple(Profile(bucket=bucket, least=least, best=most, most=most) for bucket in buckets)


def _build(
    bundle: Bundle, path: Path, order: Order, runtime: Runtime, device: Accelerator | None, report: Report
) -> EngineRecord:
    def tell(line: str) -> None:
        log.info("%s", line)
        report(line)

    graph = graph_in(bundle, order.precision)
    tell(f"building {path.name} with {order.target} {runtime.version}")
    profiles = profiles_of(bundle)
    begun = time.perf_counter()
    timings = path.with_name(TIMINGS.format(order.target))
    engine = build(runtime, graph, profiles, tf32=order.tf32, timing_cache=timings, report=tell)
    record = EngineRecord(
        target=order.target,
        runtime=runtime.version,
        device=device.name if device else None,
        compute_capability=device.compute_capability if device else None,
        precision=order.precision,
        profiles=profiles,
        model_sha256=bundle.manifest.files[MODEL].sha256,
        graph_sha256=_sha256(graph),
        flags=_flags(order),
        sha256=hashlib.sha256(engine).hexdigest(),
        size=len(engine),
        seconds=round(time.perf_counter() - begun, 1),
    )
    _replace(path, engine)
    _replace(record_path(path), record.model_dump_json(indent=2).encode() + b"\n")
    return record


def _device(order: Order) -> Accelerator | None:
    """The GPU that is built for; TensorRT-RTX builds for all, and asks none."""
    if order.target == "tensorrt-rtx":
        return None
    try:
        return find_accelerator(order.device)
    except AcceleratorError as error:
        raise ExportError(
            f"{error} TensorRT builds on the GPU that will serve; --target tensorrt-rtx builds without one."
        ) from error


def _fitting(
    path: Path, bundle: Bundle, order: Order, runtime: Runtime, device: Accelerator | None
) -> EngineRecord | None:
    try:
        record = read_record(path)
    except EngineError:
        return None
    found = misfits(
        record,
        bundle,
        runtime=runtime.version,
        device=device.name if device else None,
        compute_capability=device.compute_capability if device else None,
    )
    return None if found or record.flags != _flags(order) else record


def _flags(order: Order) -> tuple[str, ...]:
    return ("STRONGLY_TYPED", "TF32") if order.tf32 else ("STRONGLY_TYPED",)


def _sha256(graph: onnx.ModelProto) -> str:
    return hashlib.sha256(graph.SerializeToString(deterministic=True)).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
