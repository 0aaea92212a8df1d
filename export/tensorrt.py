"""TensorRT's parser and builder, one code path for `tensorrt` 10.12 and newer, 11, and `tensorrt-rtx`.

Networks are strongly typed: the flag is needed by 10, and the only way of 11. `tensorrt-rtx` parses and builds without
a GPU or its driver; `tensorrt` chooses its kernels by running them, and needs the GPU that will serve.
"""

import importlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from export import ExportError
from export.onnx_graph import INPUT
from model.engine import Profile, Target

log = logging.getLogger("panoptic.export")

MODULES: dict[Target, str] = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
OLDEST = (10, 12)  # of `tensorrt`: strong typing as it is used here
PACKAGES: dict[Target, str] = {"tensorrt": "tensorrt", "tensorrt-rtx": "panoptic-service[tensorrt-rtx]"}

Report = Callable[[str], None]


@dataclass(frozen=True)
class Refusal:
    """One node that the parser does not take."""

    operator: str
    node: str
    why: str

    def __str__(self) -> str:
        return f"{self.operator} {self.node!r}: {self.why}"


@dataclass
class Runtime:
    """One TensorRT, and what it says while it works."""

    target: Target
    module: Any
    version: str
    warnings: list[str] = field(default_factory=list)


def open_runtime(target: Target) -> Runtime:
    """Import TensorRT.

    Raises: ExportError: it is not installed, or too old.
    """
    try:
        module = importlib.import_module(MODULES[target])
    except ImportError as error:
        raise ExportError(
            f"{target} cannot be used here: {error}. Install it by `pip install '{PACKAGES[target]}'`."
        ) from error
    version = str(module.__version__)
    numbers = tuple(int(part) for part in version.split(".")[:2])
    if target == "tensorrt" and numbers < OLDEST:
        raise ExportError(f"TensorRT {version} is installed, 10.12 is the oldest that builds such graphs.")
    return Runtime(target, module, version)


def parse(runtime: Runtime, graph: onnx.ModelProto) -> list[Refusal]:
    """What the parser refuses of a graph; nothing: it is taken."""
    _, _, refusals = _parse(runtime, graph)
    return refusals


def build(
    runtime: Runtime,
    graph: onnx.ModelProto,
    profiles: Sequence[Profile],
    *,
    tf32: bool,
    timing_cache: Path | None,
    report: Report,
) -> bytes:
    """Build an engine.

    Args:
        tf32: whether fp32 products may be rounded to 19 bits.
        timing_cache: a file that remembers how long kernels took; made where it is missing. TensorRT-RTX, which
            would ask the GPU for it, does without.
        report: takes a line at each phase, with the time since the start.

    Raises: ExportError: the parser or the builder refuses it, in their words.
    """
    builder, network, refusals = _parse(runtime, graph)
    if refusals:
        raise ExportError(f"{runtime.target} {runtime.version} refuses {'; '.join(map(str, refusals))}.")
    config = builder.create_builder_config()
    if not tf32:
        config.clear_flag(runtime.module.BuilderFlag.TF32)
    for profile in profiles:
        shape = builder.create_optimization_profile()
        sizes = ((count, *profile.bucket, 3) for count in (profile.least, profile.best, profile.most))
        shape.set_shape(INPUT, *sizes)
        config.add_optimization_profile(shape)
    cache = _read_timings(runtime, config, timing_cache)
    monitor = _monitor(runtime.module, report)
    config.progress_monitor = monitor
    found = builder.build_serialized_network(network, config)
    if found is None:
        raise ExportError(
            f"{runtime.target} {runtime.version} cannot build the graph: {' '.join(runtime.warnings[-3:])}"
        )
    if cache is not None and timing_cache is not None:
        timing_cache.write_bytes(bytes(config.get_timing_cache().serialize()))
    return bytes(found)


def _parse(runtime: Runtime, graph: onnx.ModelProto) -> tuple[Any, Any, list[Refusal]]:
    module = runtime.module
    builder = module.Builder(_logger(runtime))
    network = builder.create_network(1 << int(module.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = module.OnnxParser(network, _logger(runtime))
    parser.parse(graph.SerializeToString())
    errors = (parser.get_error(index) for index in range(parser.num_errors))
    found = [Refusal(each.node_operator(), each.node_name(), _one_line(each.desc())) for each in errors]
    return builder, network, found


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


_loggers: dict[str, Any] = {}  # TensorRT keeps the first of a process, and warns of a second


def _logger(runtime: Runtime) -> Any:
    """The one logger of a TensorRT: warnings go to the log, and to the runtime that asks now."""
    if runtime.target not in _loggers:
        _loggers[runtime.target] = _new_logger(runtime.module)
    _loggers[runtime.target].runtime = runtime
    return _loggers[runtime.target]


def _new_logger(module: Any) -> Any:
    class Logger(module.ILogger):  # type: ignore[misc]  # a class of the module that was imported
        """Sends TensorRT's words on."""

        runtime: Runtime

        def __init__(self) -> None:
            module.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if int(severity) <= int(module.ILogger.Severity.WARNING):
                log.warning("%s: %s", self.runtime.target, message)
                self.runtime.warnings.append(_one_line(message))

    return Logger()


def _monitor(module: Any, report: Report) -> Any:
    """Tells the outer phases of a build, with the time since its start."""
    begun = time.perf_counter()

    class Monitor(module.IProgressMonitor):  # type: ignore[misc]
        """As TensorRT calls it."""

        def __init__(self) -> None:
            module.IProgressMonitor.__init__(self)
            self.told: set[str] = set()

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            if name not in self.told:
                self.told.add(name)
                report(f"{time.perf_counter() - begun:6.1f} s: {name[:1].lower()}{name[1:]}")

        def step_complete(self, name: str, step: int) -> bool:
            return True

        def phase_finish(self, name: str) -> None:
            return None

    return Monitor()


def _read_timings(runtime: Runtime, config: Any, path: Path | None) -> Any:
    if path is None or runtime.target == "tensorrt-rtx":
        return None
    cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
    config.set_timing_cache(cache, ignore_mismatch=False)
    return cache
