"""The contract of a runtime: a batch of pictures in, heads at network stride out."""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from model.bundle import Bundle, BundleError, Precision

Floats = NDArray[np.float32]
Pictures = NDArray[np.uint8]

Runtime = Literal["onnxruntime", "openvino"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)  # in the order of preference between equals


@dataclass(frozen=True)
class Heads:
    """What the network says about a batch, at its stride: all float32 and NCHW."""

    semantic: Floats  # (N, C, h, w) logits
    center: Floats  # (N, 1, h, w), near 1 at an object's center
    offset: Floats  # (N, 2, h, w), (dy, dx) to the center, in pixels of this map

    def row(self, index: int) -> "Heads":
        """The heads of one picture, N = 1."""
        one = slice(index, index + 1)
        return Heads(self.semantic[one], self.center[one], self.offset[one])


class Backend(Protocol):
    """One graph on one device. It is called from one thread at a time."""

    @property
    def name(self) -> str:
        """The runtime and its version, for people."""
        ...

    @property
    def device(self) -> str:
        """Where it runs, `cpu` for one."""
        ...

    @property
    def precision(self) -> str:
        """Number format of the weights' products, `fp32` for one."""
        ...

    def run(self, batch: Pictures) -> Heads:
        """Run uint8 RGB (N, H, W, 3), of a bucket's size and an allowed batch size."""
        ...

    def close(self) -> None:
        """Free the device. Nothing may be run after."""
        ...


def open_backend(
    bundle: Bundle,
    runtime: Runtime = "onnxruntime",
    precision: Precision | None = None,
    *,
    threads: int,
) -> Backend:
    """Open the bundle's graph with a runtime.

    Args:
        precision: None takes the graph's own.

    Raises: BundleError: the runtime is not installed, does not know the precision, refuses the graph, or the graph
        is not what the manifest says.
    """
    precision = precision or bundle.precision
    if precision not in precisions(bundle, runtime):
        raise BundleError(_lacking(bundle, runtime, precision))
    if runtime == "openvino":
        from service.backends.openvino import OpenVino

        return OpenVino(bundle, threads=threads, precision=precision)
    from service.backends.onnxruntime import OnnxRuntime

    return OnnxRuntime(bundle, threads=threads)


def precisions(bundle: Bundle, runtime: Runtime) -> tuple[Precision, ...]:
    """Number formats in which a runtime may run a bundle's graph, the quickest first."""
    if bundle.precision == "fp32" and runtime == "openvino":
        return "bf16", "fp32"
    return (bundle.precision,)


def first_line(error: Exception) -> str:
    """The first line of an error's message, to stand within a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _lacking(bundle: Bundle, runtime: Runtime, precision: Precision) -> str:
    known = " and ".join(precisions(bundle, runtime))
    advice = {
        "bf16": "Ask for --backend openvino, or for --precision auto.",
        "int8": "Make an int8 bundle with `panoptic-export quantize`, or ask for --precision auto.",
        "fp32": "Serve the bundle it was made of, or ask for --precision auto.",
    }
    graph = f"the {bundle.precision} graph of {bundle.path}"
    return f"{runtime} runs {graph} in {known}, not in {precision}. {advice[precision]}"
