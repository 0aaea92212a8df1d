"""OpenVINO on the CPU.

The graph is compiled twice, for one batch on all threads and for those that run beside another. Pictures of a batch are
computed one by one: more at once save nothing here, and each size would take memory of its own.
"""

from functools import cache, partial
from typing import Any

import numpy as np

from model.bundle import Bundle, BundleError, Precision
from service.backends import Floats, Heads, Pictures, first_line
from service.backends.turns import LANES, Turns, is_quick

_TYPES: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}  # of what is not quantised


class OpenVino:
    """The bundle's ONNX graph, compiled for all its buckets; it owns the compiled models."""

    device = "cpu"
    gpu = None

    def __init__(self, bundle: Bundle, *, threads: int, precision: Precision = "fp32"):
        self.name = f"OpenVINO {_import().__version__.partition('-')[0]}"
        self.precision = precision
        if precision == "bf16" and "BF16" not in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise BundleError("This processor does not compute in bf16. Ask for --precision fp32 or auto.")
        self._input = bundle.manifest.input.name
        try:
            graph = _core().read_model(str(bundle.model))
            _compare(bundle, graph)
            (alone,) = _compile(graph, precision, threads, 1)
        except RuntimeError as error:
            raise BundleError(
                f"{bundle.model} is no graph that {self.name} can run: {first_line(error)}. "
                "Serve it with --backend onnxruntime, or export the bundle again."
            ) from error
        self._turns: Any = Turns(alone, partial(_compile, graph, precision, threads, LANES))
        picture = np.zeros((1, *bundle.manifest.input.buckets[0], 3), np.uint8)
        self.lanes = LANES if is_quick(lambda: self.run(picture)) and threads > 1 else 1

    def run(self, batch: Pictures) -> Heads:
        """Run uint8 RGB (N, H, W, 3)."""
        with self._turns.take() as request:
            rows = [self._compute(request, batch[place : place + 1]) for place in range(len(batch))]
        return Heads(
            *(part[0] if len(part) == 1 else np.concatenate(part) for part in zip(*rows, strict=True))
        )

    def close(self) -> None:
        """Free the compiled models."""
        self._turns = None

    def _compute(self, request: Any, picture: Pictures) -> list[Floats]:
        """The heads of one picture, (1, H, W, 3), which is read in place."""
        request.infer({self._input: picture}, share_inputs=True)
        # Copied: heads are merged while the next picture is computed, which writes where these stood.
        return [
            np.array(request.get_tensor(name).data, np.float32) for name in ("semantic", "center", "offset")
        ]


def _compile(graph: Any, precision: Precision, threads: int, streams: int) -> list[Any]:
    """As many requests as there are streams, between which the threads are shared out."""
    hints = {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": _TYPES[precision],
        "ENABLE_CPU_PINNING": False,  # the threads that decode share the cores
    }
    # Sides stay free: a model for each bucket would take several times the memory and time to compile.
    compiled = _core().compile_model(graph, "CPU", hints)
    return [compiled.create_infer_request() for _ in range(streams)]


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
