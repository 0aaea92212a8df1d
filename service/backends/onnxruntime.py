"""ONNX Runtime on the CPU: a session for a batch alone, one for those that run beside another, one arena for both."""

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from model.bundle import Bundle, BundleError, Precision
from model.merged import MAPS, TABLES, find_merged
from service.backends import Heads, Maps, Pictures, first_line
from service.backends.turns import LANES, Turns, is_quick

_INPUT_TYPE = "tensor(uint8)"
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
        self._known: set[tuple[int, ...]] = set()  # shapes that were run
        self._picture = np.zeros((1, *bundle.manifest.input.buckets[0], 3), np.uint8)
        alone = _open(bundle.model, threads)
        _compare(bundle, alone)
        # The thread that runs a batch computes too: two of them and the pool are as many as there may be.
        self._turns: Any = Turns(alone, lambda: [_open(bundle.model, threads - 1)] * LANES)
        self._quick = is_quick(lambda: self.run(self._picture))
        self.lanes = LANES if self._quick and threads > 1 else 1

    def run(self, batch: Pictures) -> Heads:
        """Run uint8 RGB (N, H, W, 3)."""
        with self._turns.take() as session:
            found = session.run(self._outputs, {self._input: batch}, self._options(batch.shape))
        heads = dict(zip(self._outputs, found, strict=True))
        return Heads(*(np.asarray(heads[name], np.float32) for name in ("semantic", "center", "offset")))

    def close(self) -> None:
        """Free the sessions, and of the arena what they took, where that doesn't take long."""
        if self._quick and self._turns is not None:
            # Of a session that fails there is nothing to be had, and closing goes on.
            with suppress(Exception), self._turns.take() as session:
                session.run(self._outputs, {self._input: self._picture}, _giving_back())
        self._turns = None

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
