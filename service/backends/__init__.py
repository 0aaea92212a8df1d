"""The contract of a runtime: a batch of pictures in, heads at network stride out."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from model.bundle import Bundle, BundleError, Precision, Size

Floats = NDArray[np.float32]
Pictures = NDArray[np.uint8]
Indices = NDArray[np.uint8] | NDArray[np.int32]

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

    def copy(self) -> "Heads":
        """The same without the rest of a batch, of which these may be rows."""
        return Heads(self.semantic.copy(), self.center.copy(), self.offset.copy())

    @property
    def nbytes(self) -> int:
        """Bytes of all."""
        return self.semantic.nbytes + self.center.nbytes + self.offset.nbytes


@dataclass(frozen=True)
class Maps:
    """What a graph with the merging in it says about a batch: photographs of the bucket's own size, with N first.

    `export.merging_graph` says how it is made; the order of the fields is that of `model.merged.MAPS` and TABLES.
    """

    classes: Indices  # (N, H, W) class of every pixel
    instances: Indices  # (N, H, W) its nearest center, from 1; 0 where a picture has none
    places: NDArray[np.int32]  # (N, K) of the centers, row times columns plus column; -1 where there is none
    heat: Floats  # (N, K) of the centers
    sampled: Floats  # (N, K + 1, C) sums of probabilities, of one pixel a cell
    whole: Floats  # (N, K + 1, C) the same of all pixels
    sound: Floats  # (N, 1), 0 where all heads were numbers, else NaN

    def row(self, index: int) -> "Maps":
        """The maps of one picture, N = 1."""
        return Maps(*(each[index : index + 1] for each in self._all()))

    def copy(self) -> "Maps":
        """The same without the rest of a batch, of which these may be rows."""
        return Maps(*(each.copy() for each in self._all()))

    @property
    def nbytes(self) -> int:
        """Bytes of all."""
        return sum(each.nbytes for each in self._all())

    def _all(self) -> list[NDArray[Any]]:
        return [getattr(self, each.name) for each in fields(self)]


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
        """Batches that may be under way at once; on a GPU, runs that start one after the other take them in turn."""
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


class Merger(Protocol):
    """A bundle's graphs with the merging in them, one a bucket. It is called like the backend beside it."""

    def run(self, batch: Pictures) -> Maps:
        """Run uint8 RGB (N, H, W, 3), of a bucket's size and an allowed batch size."""
        ...

    def close(self) -> None:
        """Free the device. Nothing may be run after."""
        ...


class JpegDecoder(Protocol):
    """A decoder of JPEG in place of the processor's. Any thread may call it."""

    def decode(self, data: bytes, stored: Size) -> Pictures | None:
        """Decode gray or colour to RGB, (H, W, 3) of the stored size; None where this cannot, and another may."""
        ...

    def close(self) -> None:
        """Free the device. Nothing may be decoded after."""
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


def open_merger(bundle: Bundle, *, threads: int, device: Device = CPU) -> Merger:
    """Open the bundle's graphs with the merging in them, by ONNX Runtime.

    Raises: BundleError: one is missing or was made of something else, or the runtime refuses it.
    """
    if device.gpu is None:
        from service.backends.onnxruntime import OnnxRuntimeMerger

        return OnnxRuntimeMerger(bundle, threads=threads)
    from service.backends.onnxruntime_cuda import OnnxRuntimeCudaMerger

    return OnnxRuntimeCudaMerger(bundle, device)


def open_jpeg_decoder(device: Device) -> JpegDecoder:
    """Open the decoder of a GPU.

    Raises: BundleError: the device is the processor, or something is missing there.
    """
    if device.gpu is None:
        raise BundleError("--decode gpu needs a GPU. Ask for --device cuda, or for --decode cpu.")
    from service.backends.nvimgcodec import NvImageCodec

    return NvImageCodec(device.gpu)


def precisions(bundle: Bundle, runtime: Runtime) -> tuple[Precision, ...]:
    """Number formats in which a runtime may run a bundle's graph, the one that is mostly the quickest first."""
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
