"""A lane: one batch at a time goes in, runs and comes out on a stream of its own, so that lanes overlap.

Its buffers are as large as the largest batch and never move, which is what CUDA graphs need. Every bucket and batch
size has a context of its own, as TensorRT advises for graphs; they share the lane's memory, since one runs at a time.
"""

import ctypes
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.backends import Floats, Heads, Pictures
from service.backends.tensorrt.cuda import Cuda, CudaError

log = logging.getLogger("panoptic")

HEADS: tuple[Literal["semantic", "center", "offset"], ...] = ("semantic", "center", "offset")


class EngineFailure(Exception):
    """TensorRT did not do what it was asked, without an error of CUDA's."""


@dataclass(frozen=True)
class Sizes:
    """Bytes that a lane needs."""

    image: int
    heads: dict[str, int]
    scratch: int  # that a context works in

    @property
    def device(self) -> int:
        """Bytes of the GPU."""
        return self.image + sum(self.heads.values()) + self.scratch

    @property
    def pinned(self) -> int:
        """Bytes of the host."""
        return self.image + sum(self.heads.values())


@dataclass(frozen=True)
class Plan:
    """How one bucket runs in one batch size."""

    context: Any
    shapes: dict[str, tuple[int, ...]]
    graph: int | None  # instantiated; None: the context is run itself


class Lane:
    """Owns a stream, its buffers, contexts and graphs."""

    def __init__(self, cuda: Cuda, engine: Any, tensorrt: Any, input_: str, sizes: Sizes):
        """Take all memory at once.

        Raises: CudaError: there is too little.
        """
        self._cuda, self._engine, self._tensorrt, self._input = cuda, engine, tensorrt, input_
        self._sizes = sizes
        self._plans: dict[tuple[int, int], Plan] = {}
        with ExitStack() as owned:
            self._stream = cuda.stream()
            owned.callback(cuda.release, "cudaStreamDestroy", self._stream)
            wanted = {input_: sizes.image, **sizes.heads}
            self._device = {name: self._take(owned, size) for name, size in wanted.items()}
            self._scratch = self._take(owned, sizes.scratch)
            self._pinned = {name: self._pin(owned, size) for name, size in wanted.items()}
            self._owned = owned.pop_all()

    def start(self, batch: Pictures, profile: int) -> Plan:
        """Give the stream a batch: copy in, run, copy out.

        Raises: CudaError, EngineFailure: it could not be given.
        """
        self._cuda.use()
        count = len(batch)
        plan = self._plans.get((profile, count))
        if plan is None:
            plan = self._plans[profile, count] = self._prepare(batch.shape, profile)
        np.copyto(_view(self._pinned[self._input], batch.shape, np.uint8), batch)
        self._cuda.copy_in(self._device[self._input], self._pinned[self._input], batch.nbytes, self._stream)
        if plan.graph is None:
            self._execute(plan.context)
        else:
            self._cuda.launch(plan.graph, self._stream)
        for name in HEADS:
            size = 4 * int(np.prod(plan.shapes[name]))
            self._cuda.copy_out(self._pinned[name], self._device[name], size, self._stream)
        return plan

    def finish(self, plan: Plan) -> Heads:
        """Wait for the heads. They are copied: the next batch writes where these stood.

        Raises: CudaError: a kernel failed.
        """
        self._cuda.use()
        self._cuda.wait(self._stream)
        found: list[Floats] = [
            _view(self._pinned[name], plan.shapes[name], np.float32).copy() for name in HEADS
        ]
        return Heads(*found)

    def settle(self) -> None:
        """After a failure: wait for what the stream was given still, so that nobody writes into the next batch."""
        try:
            self._cuda.wait(self._stream)
        except CudaError as error:
            log.warning("a failed batch: %s", error)

    def close(self) -> None:
        """Give everything back: contexts before the memory they work in."""
        self.settle()
        for plan in self._plans.values():
            if plan.graph is not None:
                self._cuda.release("cudaGraphExecDestroy", plan.graph)
        self._plans.clear()
        self._owned.close()

    def _take(self, owned: ExitStack, size: int) -> int:
        address = self._cuda.allocate(max(size, 1))
        owned.callback(self._cuda.release, "cudaFree", address)
        return address

    def _pin(self, owned: ExitStack, size: int) -> int:
        address = self._cuda.allocate_pinned(size)
        owned.callback(self._cuda.release, "cudaFreeHost", address)
        return address

    def _prepare(self, shape: tuple[int, ...], profile: int) -> Plan:
        """A context for one bucket and batch size, warmed up, and its graph."""
        strategy = self._tensorrt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = self._engine.create_execution_context(strategy)
        if context is None:
            raise EngineFailure("TensorRT makes no execution context, most likely for lack of GPU memory.")
        context.set_device_memory(self._scratch, self._sizes.scratch)
        self._must(context.set_optimization_profile_async(profile, self._stream), f"profile {profile}")
        self._must(context.set_input_shape(self._input, tuple(shape)), f"the shape {tuple(shape)}")
        for name, address in self._device.items():
            self._must(context.set_tensor_address(name, address), f"the address of {name}")
        shapes: dict[str, tuple[int, ...]] = {name: tuple(context.get_tensor_shape(name)) for name in HEADS}
        for name in HEADS:
            if 4 * int(np.prod(shapes[name])) > self._sizes.heads[name]:
                raise EngineFailure(f"{name} comes as {shapes[name]}, more than its buffer holds.")
        self._execute(context)  # the first run of a shape allocates, which no graph may
        self._cuda.wait(self._stream)
        return Plan(context, shapes, self._capture(context))

    def _capture(self, context: Any) -> int | None:
        """The context's kernels as one graph; None where it cannot be had, which costs only time."""
        try:
            self._cuda.begin_capture(self._stream)
            try:
                self._execute(context)
            finally:
                graph = self._cuda.end_capture(self._stream)
            try:
                return self._cuda.instantiate(graph)
            finally:
                self._cuda.release("cudaGraphDestroy", graph)
        except (CudaError, EngineFailure) as error:
            if isinstance(error, CudaError) and error.sticky:
                raise
            log.warning("no CUDA graph, kernels are launched one by one: %s", error)
            return None

    def _execute(self, context: Any) -> None:
        self._must(context.execute_async_v3(stream_handle=self._stream), "a batch")

    @staticmethod
    def _must(done: bool, what: str) -> None:
        if not done:
            raise EngineFailure(f"TensorRT refuses {what}.")


def _view(address: int, shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    """Pinned memory as an array."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    memory = (ctypes.c_uint8 * size).from_address(address)
    return np.frombuffer(memoryview(memory), kind).reshape(shape)
