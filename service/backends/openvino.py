"""OpenVINO on the CPU."""

from functools import cache
from typing import Any

import numpy as np

from model.bundle import Bundle, BundleError, Precision
from service.backends import Heads, Pictures, first_line

_TYPES: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}  # of what is not quantised


class OpenVino:
    """The bundle's ONNX graph, compiled once for all its buckets and batch sizes; it owns the compiled model."""

    device = "cpu"
    lanes = 1  # a second batch would only share the cores with the first
    gpu = None

    def __init__(self, bundle: Bundle, *, threads: int, precision: Precision = "fp32"):
        openvino = _import()
        self.name = f"OpenVINO {openvino.__version__.partition('-')[0]}"
        self.precision = precision
        core = _core()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise BundleError("This processor does not compute in bf16. Ask for --precision fp32 or auto.")
        try:
            graph = core.read_model(str(bundle.model))
            _compare(bundle, graph)
            # Sides and batch stay free: a model for each would take several times the memory and time to compile.
            compiled = core.compile_model(graph, "CPU", _hints(precision, threads))
        except RuntimeError as error:
            raise BundleError(
                f"{bundle.model} is no graph that {self.name} can run: {first_line(error)}. "
                "Serve it with --backend onnxruntime, or export the bundle again."
            ) from error
        self._input = bundle.manifest.input.name
        self._request: Any = compiled.create_infer_request()

    def run(self, batch: Pictures) -> Heads:
        """Run uint8 RGB (N, H, W, 3)."""
        # The picture is read in place. The heads are copied: photographs are merged while the next batch runs, which
        # writes where these stood.
        self._request.infer({self._input: batch}, share_inputs=True)
        return Heads(
            *(
                np.array(self._request.get_tensor(name).data, np.float32)
                for name in ("semantic", "center", "offset")
            )
        )

    def close(self) -> None:
        """Free the compiled model."""
        self._request = None


@cache
def _core() -> Any:
    """One for the whole life of the process.

    OpenVINO 2026 lays a signal stack under the thread that first asks for the CPU, and unmaps it with its core; where
    another thread did that, the next signal (a SIGTERM, a child's end) would kill the process by SIGSEGV.
    """
    return _import().Core()


def _import() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise BundleError(
            f"OpenVINO cannot be used here: {first_line(error)}. Install it by "
            "`pip install 'panoptic-service[openvino]'`, or serve with --backend onnxruntime."
        ) from error
    return openvino


def _hints(precision: Precision, threads: int) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",  # batches come one after the other, each on all threads
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": _TYPES[precision],
        "ENABLE_CPU_PINNING": False,  # the threads that decode share the cores
    }


def _compare(bundle: Bundle, graph: Any) -> None:
    inputs = {entry.get_any_name(): entry.get_element_type().get_type_name() for entry in graph.inputs}
    expected = bundle.manifest.input.name
    if inputs != {expected: "u8"}:
        raise BundleError(
            f"{bundle.model} takes {inputs}, its manifest says {expected!r} of u8. Export the bundle again."
        )
    outputs = {name for entry in graph.outputs for name in entry.get_names()}
    for output in bundle.manifest.heads.outputs:
        if output.name not in outputs:
            raise BundleError(
                f"{bundle.model} has no output {output.name!r}, it has {', '.join(sorted(outputs))}. "
                "Export the bundle again."
            )
