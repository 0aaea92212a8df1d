"""The contract of a runtime: a batch of pictures in, heads at network stride out."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from model.bundle import Bundle, BundleError, Precision

Floats = NDArray[np.float32]
Pictures = NDArray[np.uint8]

Runtime = Literal["onnxruntime", "openvino", "tensorrt"]
RUNTIMES: tuple[Runtime, ...] = ("onnxruntime", "openvino")  # of a processor, by preference between equals
GPU_RUNTIMES: tuple[Runtime, ...] = ("tensorrt", "onnxruntime")


@dataclass(frozen=True)
class Device:
    """Where an engine runs, and what it may take there."""

    gpu: int | None = None  # its number; None is the processor
    memory_limit: int | None = None  # bytes of the GPU; None: what is free
    tf32: bool = False  # whether fp32 products may be rounded to 19 bits

    def __str__(self) -> str:
        return "cpu" if self.gpu is None else f"cuda:{self.gpu}"


CPU = Device()


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


@dataclass
class Gpu:
    """What an engine knows of its GPU, without asking the GPU; written by the engine."""

    memory: dict[str, int] = field(default_factory=dict)  # bytes that it took, by kind
    build_seconds: float | None = None  # that building the engine took; None: it was not built beforehand
    lost: str = ""  # why this process can compute nothing more on it


class Backend(Protocol):
    """One graph on one device. It is called by as many threads at a time as it has lanes."""

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

    @property
    def lanes(self) -> int:
        """Batches that may be under way at once; runs that start one after the other take the lanes in turn."""
        ...

    @property
    def gpu(self) -> Gpu | None:
        """What it knows of its GPU; None on a processor."""
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
    device: Device = CPU,
) -> Backend:
    """Open the bundle's graph with a runtime.

    Args:
        precision: None takes the graph's own.

    Raises: BundleError: the runtime is not installed, does not know the precision or the device, refuses the graph,
        or the graph is not what the manifest says.
    """
    precision = precision or bundle.precision
    if runtime not in (RUNTIMES if device.gpu is None else GPU_RUNTIMES):
        other = "--device cuda" if device.gpu is None else "--device cpu"
        raise BundleError(f"{runtime} does not run on {device}. Ask for {other}, or for --backend auto.")
    if precision not in precisions(bundle, runtime):
        raise BundleError(_lacking(bundle, runtime, precision))
    if device.gpu is not None:
        return _open_on_gpu(bundle, runtime, precision, device)
    if runtime == "openvino":
        from service.backends.openvino import OpenVino

        return OpenVino(bundle, threads=threads, precision=precision)
    from service.backends.onnxruntime import OnnxRuntime

    return OnnxRuntime(bundle, threads=threads)


def precisions(bundle: Bundle, runtime: Runtime) -> tuple[Precision, ...]:
    """Number formats in which a runtime may run a bundle's graph, the quickest first."""
    if bundle.precision == "fp32" and runtime == "openvino":
        return "bf16", "fp32"
    if bundle.precision == "fp32" and runtime == "tensorrt":
        return "fp16", "bf16", "fp32"
    return (bundle.precision,)


def _open_on_gpu(bundle: Bundle, runtime: Runtime, precision: Precision, device: Device) -> Backend:
    assert device.gpu is not None
    if runtime == "tensorrt":
        from service.backends.tensorrt.runner import TensorRt

        return TensorRt(bundle, precision, device=device.gpu, memory_limit=device.memory_limit)
    from service.backends.onnxruntime_cuda import OnnxRuntimeCuda

    return OnnxRuntimeCuda(bundle, device)


def first_line(error: Exception) -> str:
    """The first line of an error's message, to stand within a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _lacking(bundle: Bundle, runtime: Runtime, precision: Precision) -> str:
    known = " and ".join(precisions(bundle, runtime))
    advice = {
        "bf16": "Ask for --backend openvino, or for --precision auto.",
        "fp16": "Ask for --backend tensorrt on a GPU, or for --precision auto.",
        "fp8": "Make an fp8 bundle with `panoptic-export quantize`, or ask for --precision auto.",
        "int8": "Make an int8 bundle with `panoptic-export quantize`, or ask for --precision auto.",
        "fp32": "Serve the bundle it was made of, or ask for --precision auto.",
    }
    graph = f"the {bundle.precision} graph of {bundle.path}"
    return f"{runtime} runs {graph} in {known}, not in {precision}. {advice[precision]}"
