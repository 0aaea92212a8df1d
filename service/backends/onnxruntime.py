"""ONNX Runtime on the CPU.

One batch alone is computed by all threads. Beside another one a batch does better without them: two that are computed
whole, each by a thread of its own, wait for nobody, where the threads of one batch wait for each other after every
operator. So there are two lanes and two sessions, and one arena for both.
"""

import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from model.bundle import Bundle, BundleError, Precision
from model.merged import MAPS, TABLES, find_merged
from service.backends import Heads, Maps, Pictures, first_line

_INPUT_TYPE = "tensor(uint8)"
_SLOW = 1.0  # seconds a picture from which a batch has all threads for itself
_AS_REQUESTED = 1  # an arena grows by what is asked for, not to the next power of two


class OnnxRuntime:
    """The bundle's ONNX graph in two sessions; they own their threads."""

    device = "cpu"
    gpu = None

    def __init__(self, bundle: Bundle, *, threads: int):
        self.name = _name()
        self.precision: Precision = bundle.precision
        self._input = bundle.manifest.input.name
        self._outputs = [output.name for output in bundle.manifest.heads.outputs]
        self._lock = threading.Lock()
        self._running = 0
        self._known: set[tuple[int, ...]] = set()  # shapes that were run
        self._alone = _open(bundle.model, threads)
        _compare(bundle, self._alone)
        self._beside = self._alone
        self._picture = np.zeros((1, *bundle.manifest.input.buckets[0], 3), np.uint8)
        self._quick = self._is_quick()
        if threads > 1 and self._quick:
            # The thread that runs a batch computes too: two of them and the pool are as many as there may be.
            self._beside = _open(bundle.model, threads - 1)
        self.lanes = 1 if self._beside is self._alone else 2

    def run(self, batch: Pictures) -> Heads:
        """Run uint8 RGB (N, H, W, 3)."""
        with self._lock:
            session = self._beside if self._running else self._alone
            self._running += 1
        try:
            found = session.run(self._outputs, {self._input: batch}, self._options(batch.shape))
        finally:
            with self._lock:
                self._running -= 1
        heads = dict(zip(self._outputs, found, strict=True))
        return Heads(*(np.asarray(heads[name], np.float32) for name in ("semantic", "center", "offset")))

    def close(self) -> None:
        """Free the sessions, and of the arena what they took, where that doesn't take long."""
        if self._quick and self._alone is not None:
            with suppress(
                Exception
            ):  # of a session that fails there is nothing to be had, and closing goes on
                self._alone.run(self._outputs, {self._input: self._picture}, _giving_back())
        self._alone = self._beside = None

    def _is_quick(self) -> bool:
        """Whether one picture is computed so soon that a caller may do without half of the threads."""
        begun = time.perf_counter()
        self.run(self._picture)
        return time.perf_counter() - begun < _SLOW

    def _options(self, shape: tuple[int, ...]) -> Any:
        """Batches give back the memory that they took the first time: the start tries more of them than are used."""
        if shape[0] == 1 or shape in self._known:
            return None
        self._known.add(shape)
        return _giving_back()


class OnnxRuntimeMerger:
    """The bundle's graphs with the merging in them, a session for each bucket."""

    def __init__(self, bundle: Bundle, *, threads: int):
        self._input = bundle.manifest.input.name
        self._sessions: dict[tuple[int, ...], Any] = {
            bucket: _open(find_merged(bundle, bucket), threads) for bucket in bundle.manifest.input.buckets
        }

    def run(self, batch: Pictures) -> Maps:
        """Run uint8 RGB (N, H, W, 3)."""
        return Maps(*self._sessions[batch.shape[1:3]].run([*MAPS, *TABLES], {self._input: batch}))

    def close(self) -> None:
        """Free the sessions."""
        self._sessions = {}


def _name() -> str:
    import onnxruntime

    return f"ONNX Runtime {onnxruntime.__version__}"


def _giving_back() -> Any:
    """Options of a run at whose end the arena gives back all that is free."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


@cache
def _share_arena() -> None:
    """Have one arena for all sessions of the process: two would each keep what a batch takes."""
    import onnxruntime

    onnxruntime.create_and_register_allocator(
        onnxruntime.OrtMemoryInfo(
            "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
        ),
        onnxruntime.OrtArenaCfg(0, _AS_REQUESTED, -1, -1),
    )


def _open(graph: Path, threads: int) -> Any:
    """A session on the processor.

    Raises: BundleError: the runtime refuses the graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    _share_arena()
    options.add_session_config_entry("session.use_env_allocators", "1")
    # A spinning engine thread would take the core that decodes the next photograph.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            str(graph), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exception classes share no public base
        raise BundleError(
            f"{graph} is no graph that {_name()} can run: {first_line(error)}. Export the bundle again."
        ) from error


def _compare(bundle: Bundle, session: Any) -> None:
    inputs = {entry.name: entry.type for entry in session.get_inputs()}
    expected = bundle.manifest.input.name
    if inputs != {expected: _INPUT_TYPE}:
        raise BundleError(
            f"{bundle.model} takes {inputs}, its manifest says {expected!r} of {_INPUT_TYPE}. Export the bundle again."
        )
    outputs = {entry.name for entry in session.get_outputs()}
    for output in bundle.manifest.heads.outputs:
        if output.name not in outputs:
            raise BundleError(
                f"{bundle.model} has no output {output.name!r}, it has {', '.join(sorted(outputs))}. "
                "Export the bundle again."
            )
