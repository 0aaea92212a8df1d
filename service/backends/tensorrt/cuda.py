"""The few calls of the CUDA runtime that a runner needs, each of which succeeds or raises."""

import logging
from typing import Any

from model.accelerator import STICKY

log = logging.getLogger("panoptic")

OUT_OF_MEMORY = 2
_NON_BLOCKING = 1  # a stream that the default stream does not hold up


class CudaError(Exception):
    """A call failed; the message names the call and CUDA's own words."""

    def __init__(self, call: str, code: int, words: str):
        super().__init__(f"{call}: {words} (CUDA error {code})")
        self.code = code

    @property
    def sticky(self) -> bool:
        """Whether everything after it will fail too."""
        return self.code in STICKY


class Cuda:
    """The calls of `cuda.bindings.runtime`, on one GPU. Addresses and handles are ints."""

    def __init__(self, runtime: Any, device: int):
        self._runtime = runtime
        self.device = device
        self.use()

    def use(self) -> None:
        """Make the GPU that of the calling thread, which CUDA asks of every thread."""
        self._call("cudaSetDevice", self.device)

    def allocate(self, size: int) -> int:
        """Take memory of the GPU."""
        return self._call("cudaMalloc", size)

    def allocate_pinned(self, size: int) -> int:
        """Take memory of the host that stays where it is, so that copies overlap with work."""
        return self._call("cudaMallocHost", size)

    def stream(self) -> int:
        """Make a stream."""
        return self._call("cudaStreamCreateWithFlags", _NON_BLOCKING)

    def copy_in(self, device: int, host: int, size: int, stream: int) -> None:
        """Copy from pinned memory to the GPU, in the stream's order."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", device, host, size, kind, stream)

    def copy_out(self, host: int, device: int, size: int, stream: int) -> None:
        """Copy from the GPU to pinned memory, in the stream's order."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", host, device, size, kind, stream)

    def wait(self, stream: int) -> None:
        """Wait for all that the stream was given; errors of its kernels surface here."""
        self._call("cudaStreamSynchronize", stream)

    def begin_capture(self, stream: int) -> None:
        """Record what the stream is given from now on, instead of running it."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", stream, mode)

    def end_capture(self, stream: int) -> int:
        """Stop recording: the graph."""
        return self._call("cudaStreamEndCapture", stream)

    def instantiate(self, graph: int) -> int:
        """Make a graph ready to be launched."""
        return self._call("cudaGraphInstantiate", graph, 0)

    def launch(self, graph: int, stream: int) -> None:
        """Run an instantiated graph."""
        self._call("cudaGraphLaunch", graph, stream)

    def free_memory(self) -> int:
        """Bytes of the GPU that nobody has taken."""
        return self._call("cudaMemGetInfo")

    def release(self, call: str, handle: int) -> None:
        """Give something back by `cudaFree` and its kin; a failure is logged, since nothing can be done about it."""
        try:
            self._call(call, handle)
        except CudaError as error:
            log.warning("could not be given back: %s", error)

    def _call(self, name: str, *arguments: Any) -> Any:
        code, *found = getattr(self._runtime, name)(*arguments)
        if int(code):
            _, words = self._runtime.cudaGetErrorString(code)
            text = words.decode() if isinstance(words, bytes) else str(words)
            raise CudaError(name, int(code), text)
        return found[0] if found else None
