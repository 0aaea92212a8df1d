"""A machine without a GPU that behaves like one with it: the calls of CUDA and TensorRT that the runner makes.

Work on a stream is done when it is waited for, as late as CUDA may do it, so what was freed or written over too early
is found out. Every call is counted, and each can be told to fail at its n-th time.
"""

import ctypes
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from model.accelerator import Accelerator
from model.engine import Profile
from service.backends.tensorrt.loading import Platform

MEMORY = 1 << 30
LOADED = 1 << 20  # that an engine's weights take
WORDS = {
    2: b"out of memory",
    700: b"an illegal memory access was encountered",
    719: b"unspecified launch failure",
}


class Misuse(AssertionError):
    """The runner did what would corrupt memory on a GPU."""


@dataclass
class Machine:
    """All that is alive on the GPU, and what is to fail."""

    alive: dict[int, tuple[str, Any]] = field(default_factory=dict)  # handle: kind and content
    calls: Counter[str] = field(default_factory=Counter)
    failures: dict[str, tuple[int, int]] = field(default_factory=dict)  # call: (which time, CUDA's error)
    copied: Counter[str] = field(default_factory=Counter)  # bytes by direction
    waiting: dict[int, list[Callable[[], int]]] = field(default_factory=dict)  # by stream
    recording: dict[int, list[Callable[[], int]]] = field(default_factory=dict)
    most_waiting: int = 0  # streams that had work at once
    dead: int = 0  # the sticky error that everything answers with
    next: int = 1000
    free: int = MEMORY
    log: list[tuple[str, int]] = field(
        default_factory=list
    )  # in, run and out as given, and done: with the stream
    before_wait: Callable[[int], None] = lambda stream: None  # called when a stream is waited for
    lock: threading.RLock = field(
        default_factory=threading.RLock
    )  # several threads call, as they may call CUDA

    def fail(self, call: str, time: int = 1, code: int = 2) -> None:
        """Let a call fail at its n-th time from now."""
        self.failures[call] = (self.calls[call] + time, code)

    def entered(self, call: str) -> int:
        """Count a call: 0, or the error that it answers with."""
        self.calls[call] += 1
        time, code = self.failures.get(call, (0, 0))
        if self.dead:
            return self.dead
        if time == self.calls[call]:
            self.dead = code if code >= 700 else 0
            return code
        return 0

    def make(self, kind: str, content: Any = None) -> int:
        self.next += 1
        self.alive[self.next] = (kind, content)
        return self.next

    def of(self, handle: int, kind: str) -> Any:
        found, content = self.alive.get(handle, ("nothing", None))
        if found != kind:
            raise Misuse(f"{handle} is {found}, not {kind}")
        return content

    def give(self, stream: int, kind: str, work: Callable[[], int]) -> None:
        self.of(stream, "stream")
        if stream in self.recording:
            self.recording[stream].append(work)
            return
        self.log.append((kind, stream))
        self.waiting.setdefault(stream, []).append(work)
        self.most_waiting = max(self.most_waiting, sum(1 for each in self.waiting.values() if each))

    def leaks(self) -> Counter[str]:
        return Counter(kind for kind, _ in self.alive.values())


class FakeCuda:
    """`cuda.bindings.runtime`: every call answers with a tuple that begins with the error."""

    cudaMemcpyKind = SimpleNamespace(  # noqa: N815  # as CUDA names it
        cudaMemcpyHostToDevice="in", cudaMemcpyDeviceToHost="out"
    )
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)  # noqa: N815

    def __init__(self, machine: Machine):
        self.machine = machine

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        work = getattr(self, f"do_{name}")

        def call(*arguments: Any) -> tuple[Any, ...]:
            if name == "cudaStreamSynchronize":
                self.machine.before_wait(arguments[0])
            with self.machine.lock:
                return answer(*arguments)

        def answer(*arguments: Any) -> tuple[Any, ...]:
            code = self.machine.entered(name)
            if code:
                if name == "cudaStreamSynchronize":
                    self.machine.waiting.pop(arguments[0], None)
                if name == "cudaStreamEndCapture":
                    self.machine.recording.pop(arguments[0], None)  # it ends, well or not
                return (code, None)
            found = work(*arguments)
            return found if isinstance(found, tuple) else (0, found)

        return call

    def cudaGetErrorString(self, code: int) -> tuple[int, bytes]:
        return 0, WORDS.get(code, b"an error")

    def do_cudaSetDevice(self, index: int) -> None:
        return None

    def do_cudaMemGetInfo(self) -> tuple[int, int, int]:
        return 0, self.machine.free, MEMORY

    def do_cudaMalloc(self, size: int) -> int:
        return self.machine.make("device", bytearray(size))

    def do_cudaMallocHost(self, size: int) -> int:
        memory = (ctypes.c_uint8 * size)()
        address = ctypes.addressof(memory)
        self.machine.alive[address] = ("pinned", memory)
        return address

    def _drop(self, handle: int, kind: str) -> None:
        self.machine.of(handle, kind)
        if any(self.machine.waiting.values()):
            raise Misuse(f"{kind} is freed while a stream has work")
        del self.machine.alive[handle]

    def do_cudaFree(self, handle: int) -> None:
        self._drop(handle, "device")

    def do_cudaFreeHost(self, handle: int) -> None:
        self._drop(handle, "pinned")

    def do_cudaStreamCreateWithFlags(self, flags: int) -> int:
        return self.machine.make("stream")

    def do_cudaStreamDestroy(self, handle: int) -> None:
        self._drop(handle, "stream")

    def do_cudaGraphDestroy(self, handle: int) -> None:
        self.machine.of(handle, "graph")
        del self.machine.alive[handle]

    def do_cudaGraphExecDestroy(self, handle: int) -> None:
        self._drop(handle, "exec")

    def do_cudaMemcpyAsync(self, target: int, source: int, size: int, kind: str, stream: int) -> None:
        def copy() -> int:
            device, pinned = (target, source) if kind == "in" else (source, target)
            memory = self.machine.of(device, "device")
            host = self.machine.of(pinned, "pinned")
            if size > len(memory) or size > len(host):
                raise Misuse(f"{size} bytes are copied into {min(len(memory), len(host))}")
            if kind == "in":
                memory[:size] = bytes(host[:size])
            else:
                ctypes.memmove(pinned, bytes(memory[:size]), size)
            self.machine.copied[kind] += size
            return 0

        self.machine.give(stream, kind, copy)

    def do_cudaStreamSynchronize(self, stream: int) -> tuple[int, None]:
        self.machine.of(stream, "stream")
        for work in self.machine.waiting.pop(stream, []):
            if code := work():
                return code, None
        self.machine.log.append(("done", stream))
        return 0, None

    def do_cudaStreamBeginCapture(self, stream: int, mode: int) -> None:
        self.machine.recording[stream] = []

    def do_cudaStreamEndCapture(self, stream: int) -> int:
        return self.machine.make("graph", self.machine.recording.pop(stream))

    def do_cudaGraphInstantiate(self, graph: int, flags: int) -> int:
        return self.machine.make("exec", self.machine.of(graph, "graph"))

    def do_cudaGraphLaunch(self, graph: int, stream: int) -> None:
        for work in self.machine.of(graph, "exec"):
            self.machine.give(stream, "run", work)


class FakeContext:
    """An execution context: it computes heads of its own making from the picture it is given."""

    def __init__(self, engine: "FakeEngine"):
        self.engine, self.machine = engine, engine.machine
        self.addresses: dict[str, int] = {}
        self.shape: tuple[int, ...] = ()
        self.profile: Profile | None = None
        self.memory = 0

    def set_device_memory(self, address: int, size: int) -> None:
        if size < self.engine.device_memory_size_v2:
            raise Misuse("too little memory to work in")
        self.memory = address

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        self.profile = self.engine.profiles[index]
        return not self.machine.entered("set_optimization_profile_async")

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert self.profile is not None
        self.shape = shape
        fits = shape[1:3] == self.profile.bucket and shape[0] <= self.profile.most
        return fits and not self.machine.entered("set_input_shape")

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return not self.machine.entered("set_tensor_address")

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        count, rows, columns, _ = self.shape
        return (count, self.engine.channels[name], rows // 4, columns // 4)

    def execute_async_v3(self, *, stream_handle: int) -> bool:
        with self.machine.lock:
            if self.machine.entered("execute_async_v3"):
                return False
            self.machine.give(stream_handle, "run", self._compute)
            return True

    def _compute(self) -> int:
        code = self.machine.entered("kernel")
        if code:
            return code
        self.machine.of(self.memory, "device")
        size = int(np.prod(self.shape))
        data = self.machine.of(self.addresses[self.engine.input], "device")
        image = np.frombuffer(bytes(data[:size]), np.uint8).reshape(self.shape)
        for name, head in compute(image, self.engine.channels).items():
            memory = self.machine.of(self.addresses[name], "device")
            if head.nbytes > len(memory):
                raise Misuse(f"{name} needs {head.nbytes} bytes and has {len(memory)}")
            memory[: head.nbytes] = head.tobytes()
        return 0


def compute(image: np.ndarray, channels: dict[str, int]) -> dict[str, np.ndarray]:
    """Heads that tell every picture and place apart."""
    cells = image[:, ::4, ::4].astype(np.float32).sum(axis=3)[:, None]
    return {
        name: np.concatenate([cells * (index + 1) for index in range(count)], axis=1)
        for name, count in channels.items()
    }


class FakeEngine:
    """An engine with the tensors of a bundle's graph."""

    device_memory_size_v2 = 4096

    def __init__(
        self, machine: Machine, input_: str, channels: dict[str, int], profiles: tuple[Profile, ...]
    ):
        self.machine, self.input, self.channels, self.profiles = machine, input_, channels, profiles
        self.kinds = {input_: "UINT8", **dict.fromkeys(channels, "FLOAT")}

    @property
    def num_io_tensors(self) -> int:
        return len(self.kinds)

    def get_tensor_name(self, index: int) -> str:
        return list(self.kinds)[index]

    def get_tensor_dtype(self, name: str) -> str:
        return self.kinds[name]

    def create_execution_context(self, strategy: str) -> FakeContext | None:
        return None if self.machine.entered("create_execution_context") else FakeContext(self)


def platform(machine: Machine, engine: FakeEngine, version: str = "11.4.0") -> Platform:
    """CUDA and TensorRT on one NVIDIA of our own."""

    class Logger:
        WARNING = 1

        def __init__(self, severity: int) -> None:
            self.severity = severity

    class Runtime:
        def __init__(self, logger: Logger) -> None:
            self.logger = logger

        def deserialize_cuda_engine(self, content: bytes) -> FakeEngine | None:
            machine.free -= LOADED
            return None if machine.entered("deserialize_cuda_engine") else engine

    tensorrt = SimpleNamespace(
        __version__=version,
        Logger=Logger,
        Runtime=Runtime,
        DataType=SimpleNamespace(FLOAT="FLOAT", UINT8="UINT8"),
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED="mine"),
    )
    return Platform(FakeCuda(machine), tensorrt, "tensorrt", Accelerator(0, "NVIDIA Fake", "9.0", MEMORY))
