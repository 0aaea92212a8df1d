"""ONNX Runtime on the CPU."""

from typing import Any

import numpy as np

from model.bundle import Bundle, BundleError, Precision
from service.backends import Heads, Pictures, first_line

_INPUT_TYPE = "tensor(uint8)"


class OnnxRuntime:
    """The bundle's ONNX graph in one session; it owns the session's threads and memory."""

    device = "cpu"
    lanes = 1  # a second batch would only share the cores with the first
    gpu = None

    def __init__(self, bundle: Bundle, *, threads: int):
        import onnxruntime

        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        self.precision: Precision = bundle.precision
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # An arena keeps what the largest batch took, for ever; without one a single photograph runs as quickly.
        options.enable_cpu_mem_arena = False
        # A spinning engine thread would take the core that decodes the next photograph.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(bundle.model), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exception classes share no public base
            raise BundleError(
                f"{bundle.model} is no graph that {self.name} can run: {first_line(error)}. Export the bundle again."
            ) from error
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
