"""ONNX Runtime on the CPU."""

from pathlib import Path
from typing import Any

import numpy as np

from model.bundle import Bundle, BundleError, Precision
from model.merged import MAPS, TABLES, find_merged
from service.backends import Heads, Maps, Pictures, first_line

_INPUT_TYPE = "tensor(uint8)"


class OnnxRuntime:
    """The bundle's ONNX graph in one session; it owns the session's threads and memory."""

    device = "cpu"
    lanes = 1  # a second batch would only share the cores with the first
    gpu = None

    def __init__(self, bundle: Bundle, *, threads: int):
        self.name = _name()
        self.precision: Precision = bundle.precision
        self._session = _open(bundle.model, threads)
        self._input = bundle.manifest.input.name
        self._outputs = [output.name for output in bundle.manifest.heads.outputs]
        _compare(bundle, self._session)

    def run(self, batch: Pictures) -> Heads:
        """Run uint8 RGB (N, H, W, 3)."""
        found = self._session.run(self._outputs, {self._input: batch})
        heads = dict(zip(self._outputs, found, strict=True))
        return Heads(*(np.asarray(heads[name], np.float32) for name in ("semantic", "center", "offset")))

    def close(self) -> None:
        """Free the session."""
        self._session = None


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


def _open(graph: Path, threads: int) -> Any:
    """A session on the processor.

    Raises: BundleError: the runtime refuses the graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # An arena keeps what the largest batch took, for ever; without one a single photograph runs as quickly.
    options.enable_cpu_mem_arena = False
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
