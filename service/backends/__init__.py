"""The contract of a runtime: a batch of pictures in, heads at network stride out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.bundle import Bundle

Floats = NDArray[np.float32]
Pictures = NDArray[np.uint8]


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


def open_backend(bundle: Bundle, *, threads: int) -> Backend:
    """Open the bundle's graph with the runtime that fits this machine.

    Raises: BundleError: the runtime refuses the graph, or the graph is not what the manifest says.
    """
    from service.backends.onnxruntime import OnnxRuntime

    return OnnxRuntime(bundle, threads=threads)
