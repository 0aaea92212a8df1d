"""TensorRT's backend: lanes of one engine on one GPU."""

import math
from contextlib import ExitStack, closing
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from model.bundle import Bundle, BundleError, Precision
from model.engine import EngineRecord
from service.backends import Gpu, Heads, Pictures
from service.backends.tensorrt.cuda import Cuda, CudaError
from service.backends.tensorrt.lane import HEADS, EngineFailure, Lane, Plan, Sizes
from service.backends.tensorrt.loading import Platform, find_platform, load_engine

LANES = 2  # while one batch runs, the next is copied in and the last one out


class BatchFailed(Exception):
    """A batch was not answered; the message says why, and whether the GPU is lost."""


@dataclass(frozen=True)
class Running:
    """A batch that was given to a lane."""

    lane: Lane
    plan: Plan


class TensorRt:
    """An engine that was built for this GPU. Calls of `run` by several threads overlap; `start` and `finish` are its
    halves, for one thread.
    """

    def __init__(
        self,
        bundle: Bundle,
        precision: Precision,
        *,
        device: int = 0,
        lanes: int = LANES,
        memory_limit: int | None = None,
        platform: Platform | None = None,
    ):
        """Open the engine and take all the memory it will ever have.

        Args:
            lanes: batches that may be under way at once.
            memory_limit: bytes of the GPU for buffers and scratch, the engine's weights aside; None: what is free.

        Raises: BundleError: something is missing, does not fit, or needs more memory than there is.
        """
        platform = platform or find_platform(device)
        self.device = f"cuda:{device}"
        self.precision = precision
        self.name = f"TensorRT {platform.version}"
        self.lanes = lanes
        with ExitStack() as owned:
            try:
                self._cuda = Cuda(platform.cuda, device)
                before = self._cuda.free_memory()
                self._engine, self._record = load_engine(bundle, precision, platform)
                loaded = before - self._cuda.free_memory()
                sizes = _sizes(bundle, self._engine, platform.tensorrt, self._record)
                _check_memory(self._cuda, lanes * sizes.device, memory_limit)
                made = [
                    owned.enter_context(
                        closing(
                            Lane(
                                self._cuda, self._engine, platform.tensorrt, bundle.manifest.input.name, sizes
                            )
                        )
                    )
                    for _ in range(lanes)
                ]
            except CudaError as error:
                raise BundleError(
                    f"{self.name} cannot be used on {self.device}: {error}. See `nvidia-smi`."
                ) from error
            self._owned = owned.pop_all()
        self.gpu = Gpu(_memory(sizes, lanes, loaded), self._record.seconds)
        self._profiles = {each.bucket: index for index, each in enumerate(self._record.profiles)}
        self._free: SimpleQueue[Lane] = SimpleQueue()
        for lane in made:
            self._free.put(lane)

    def run(self, batch: Pictures) -> Heads:
        """Run uint8 RGB (N, H, W, 3).

        Raises: BatchFailed: it was not answered.
        """
        return self.finish(self.start(batch))

    def start(self, batch: Pictures) -> Running:
        """Give a batch to a free lane, or wait for one.

        Raises: BatchFailed: no engine was built for it, or the GPU did not take it.
        """
        self._check(batch)
        lane = self._free.get()
        try:
            return Running(lane, lane.start(batch, self._profiles[batch.shape[1], batch.shape[2]]))
        except (CudaError, EngineFailure) as error:
            raise self._fail(lane, error) from error
        except BaseException:
            self._free.put(lane)
            raise

    def finish(self, running: Running) -> Heads:
        """Wait for a batch that was started. Each is finished once.

        Raises: BatchFailed: the GPU did not answer it.
        """
        try:
            heads = running.lane.finish(running.plan)
        except (CudaError, EngineFailure) as error:
            raise self._fail(running.lane, error) from error
        self._free.put(running.lane)
        return heads

    def close(self) -> None:
        """Wait for what runs and give everything back."""
        self._owned.close()
        self._engine = None

    def _check(self, batch: Pictures) -> None:
        if self.gpu.lost:
            raise BatchFailed(self.gpu.lost)
        place = self._profiles.get((batch.shape[1], batch.shape[2]))
        if place is None or len(batch) > self._record.profiles[place].most:
            raise BatchFailed(
                f"The engine has no profile for {len(batch)} pictures of {batch.shape[1]}x{batch.shape[2]}. Build it "
                "again with `panoptic-export engine`."
            )

    def _fail(self, lane: Lane, error: Exception) -> BatchFailed:
        if isinstance(error, CudaError) and error.sticky:
            self.gpu.lost = (
                f"{self.device} is lost to this process: {error}. It has to be started again; see `nvidia-smi` and "
                "`dmesg`."
            )
        else:
            lane.settle()
        self._free.put(lane)
        return BatchFailed(self.gpu.lost or f"{self.name} on {self.device} did not answer a batch: {error}")


def _sizes(bundle: Bundle, engine: Any, tensorrt: Any, record: EngineRecord) -> Sizes:
    """What the largest batch needs.

    Raises: BundleError: the engine's input or heads are not the bundle's.
    """
    manifest = bundle.manifest
    names = {engine.get_tensor_name(index) for index in range(engine.num_io_tensors)}
    expected = {manifest.input.name, *HEADS}
    kinds = {name: engine.get_tensor_dtype(name) for name in names & expected}
    right = dict.fromkeys(HEADS, tensorrt.DataType.FLOAT) | {manifest.input.name: tensorrt.DataType.UINT8}
    if kinds != right or names != expected:
        raise BundleError(
            f"The engine has the tensors {', '.join(sorted(names))}, the bundle's graph {', '.join(sorted(expected))}, "
            "or they have other types. Build it again with `panoptic-export engine --anew`."
        )
    pixels = max(profile.most * profile.bucket[0] * profile.bucket[1] for profile in record.profiles)
    stride = manifest.heads.stride
    cells = max(
        profile.most * math.prod(math.ceil(side / stride) for side in profile.bucket)
        for profile in record.profiles
    )
    heads = {output.name: 4 * output.channels * cells for output in manifest.heads.outputs}
    return Sizes(3 * pixels, {name: heads[name] for name in HEADS}, int(engine.device_memory_size_v2))


def _memory(sizes: Sizes, lanes: int, loaded: int) -> dict[str, int]:
    """Bytes by kind; pinned ones are the host's, all others the GPU's."""
    return {
        "engine": max(loaded, 0),
        "buffers": lanes * (sizes.device - sizes.scratch),
        "scratch": lanes * sizes.scratch,
        "pinned": lanes * sizes.pinned,
    }


def _check_memory(cuda: Cuda, wanted: int, limit: int | None) -> None:
    free = cuda.free_memory()
    most = free if limit is None else min(free, limit)
    if wanted > most:
        what = "free" if limit is None or free < limit else "allowed (PANOPTIC_DEVICE_MEMORY_MB)"
        raise BundleError(
            f"The engine's buffers take {wanted / 1e6:.0f} MB of the GPU, {most / 1e6:.0f} MB are {what}. Export the "
            "bundle with smaller --batch-sizes, or free memory."
        )
