"""The predictor: the walk of a photograph from its bytes to its answer, and the engine it walks through.

The server, the command and the evaluation all take the same steps: `prepare`, `submit`, `finish`.
"""

import itertools
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.bundle import Bundle, BundleError, Manifest, MergingSpec, Size
from model.fit import Sizes, choose_bucket, fit, fitted_size, resize
from service.backends import Backend, JpegDecoder, Maps, Merger
from service.pipeline.batch import Batch
from service.pipeline.batcher import Batcher
from service.pipeline.choice import Choice
from service.pipeline.encode import MAX_ID
from service.pipeline.images import Photograph, read_photograph
from service.pipeline.kernels.warm import warm
from service.pipeline.maps import merge_maps
from service.pipeline.memory import give_back
from service.pipeline.overlay import shown_size
from service.pipeline.pace import Pace, worthwhile
from service.pipeline.panoptic import Panoptic, merge_heads
from service.pipeline.pool import Pool
from service.pipeline.proof import prove_golden
from service.pipeline.queue import Priority
from service.pipeline.runs import Job, Ran, Runs, Timings, elapsed_ms, key_of


@dataclass(frozen=True)
class Prepared:
    """A photograph in its bucket."""

    picture: NDArray[np.uint8]  # (rows, columns, 3) of the bucket
    sizes: Sizes
    orientation: int  # the EXIF orientation that was undone
    shown: NDArray[np.uint8] | None  # the photograph as an overlay shows it, where one is wanted
    timings_ms: Timings = field(compare=False)  # decode and prepare
    begun: float = field(compare=False)  # `time.perf_counter` when decoding began


class Predictor:
    """Owns the backend and the batcher before it."""

    def __init__(
        self,
        bundle: Bundle,
        backend: Backend,
        *,
        max_batch: int,
        max_queue: int,
        max_pixels: int,
        max_queue_pixels: int | None = None,
        ageing_s: float = 10,
        choice: Choice | None = None,
        merger: Merger | None = None,
        decoder: JpegDecoder | None = None,
        pool: Pool | None = None,
        on_batch: Callable[[Batch], None] = lambda batch: None,
        on_late: Callable[[int], None] = lambda count: None,
    ):
        """Begin with nothing under way.

        Args:
            max_batch: images that run together at most; allowed sizes above it are left out.
            max_queue: images that may wait for the engine.
            max_pixels: pixels of a photograph, at most.
            max_queue_pixels: pixels of all photographs that wait; None is as many as `max_queue` may have.
            ageing_s: after so long a photograph of priority BATCH is taken like an interactive one.
            choice: why it is this backend, for those who ask.
            merger: the graphs with the merging in them, for photographs that may go there.
            decoder: a GPU's decoder of JPEG.
            pool: the threads that decode and merge, and run a quick engine's batches on the processor; None: its own.
            on_batch: called after each batch, in its thread, before its photographs go on.
            on_late: as the batcher's.

        Raises: BundleError: the label divisor makes ids that no panoptic PNG can hold.
        """
        _check_ids(bundle)
        # Photographs run beside each other; OpenCV's own threads would fight over the cores.
        cv2.setNumThreads(1)
        self.bundle = bundle
        self.backend = backend
        self.merger = merger
        self.decoder = decoder
        self.choice = choice or Choice(backend, "stated", ())
        self.max_pixels = max_pixels
        self.batch_sizes = tuple(size for size in self.manifest.input.batch_sizes if size <= max_batch)
        self.pace = Pace(self.batch_sizes)
        self.runs = runs = Runs(backend, merger)
        threads, self._own = _threads(backend, pool)
        self.batcher: Batcher[Job, Ran] = Batcher(
            runs.run,
            key=lambda job: job.key,
            weight=lambda job: job.pixels,
            pace=self.pace,
            max_items=max_queue,
            max_weight=max_queue * max_pixels if max_queue_pixels is None else max_queue_pixels,
            ageing_s=ageing_s,
            on_release=lambda release: on_batch(runs.told(release)),
            on_late=on_late,
            begin=threads.finish,
            lanes=backend.lanes,
        )

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self.bundle.manifest

    def prepare(self, data: bytes, *, keep_photograph: bool = False) -> Prepared:
        """Decode a photograph and fit it into its bucket.

        Raises: ImageError: the bytes are no usable photograph.
        """
        begun = time.perf_counter()
        spec = self.manifest.input
        photograph = read_photograph(
            data, max_pixels=self.max_pixels, needed=self._fitted_size, decoder=self.decoder
        )
        decoded = time.perf_counter()
        picture, sizes = fit(
            photograph.pixels,
            choose_bucket(photograph.size, spec.buckets),
            spec.pad_value,
            photograph=photograph.size,
            box=photograph.box,
        )
        shown = self._shown(data, photograph) if keep_photograph else None
        timings = {"decode": elapsed_ms(begun, decoded), "prepare": elapsed_ms(decoded)}
        return Prepared(picture, sizes, photograph.orientation, shown, timings, begun)

    def merges(self, merging: MergingSpec) -> bool:
        """Whether a photograph may be merged in the graph, which knows one threshold, window and number of centers."""
        own = self.manifest.merging
        return self.merger is not None and _centers_of(merging) == _centers_of(own)

    def submit(
        self,
        prepared: Prepared,
        *,
        merged: bool = False,
        priority: Priority = Priority.INTERACTIVE,
        deadline: float = math.inf,
        origin: object = None,
    ) -> "Future[Ran]":
        """Queue a photograph for the engine.

        Args:
            merged: whether it is to be merged in the graph, which is done where it has the bucket's own size.
            origin: whatever its caller wants to find again in its batch.

        Raises: QueueFull, BatcherClosed: as `Batcher.submit`.
        """
        sizes = prepared.sizes
        in_graph = merged and self.merger is not None and sizes.input == sizes.fitted == sizes.output
        job = Job(prepared.picture, sizes, in_graph, origin)
        return self.batcher.submit(job, priority=priority, deadline=deadline)

    def finish(
        self, prepared: Prepared, ran: Ran, merging: MergingSpec | None = None, *, min_score: float = 0.0
    ) -> tuple[Panoptic, Timings]:
        """Merge a photograph's heads; the timings are those of all stages so far.

        Raises: HeadsNotFinite: the engine's heads are no numbers.
        """
        begun = time.perf_counter()
        merging = merging or self.manifest.merging
        if isinstance(ran.output, Maps):
            panoptic = merge_maps(ran.output, prepared.sizes, self.manifest, merging, min_score=min_score)
        else:
            panoptic = merge_heads(ran.output, prepared.sizes, self.manifest, merging, min_score=min_score)
        return panoptic, {**prepared.timings_ms, **ran.timings_ms, "group": elapsed_ms(begun)}

    def prove(self) -> None:
        """Time the batch sizes, and run the goldens alone and as every row of a full batch, in all lanes at once.

        It warms the kernels and the engine up, learns its pace, and shows that it answers as the bundle promises.
        Batch sizes that save nothing are not used: on a processor's cores mostly all but 1. A GPU runs the goldens in
        every size that is used, since each has kernels of its own.

        Raises: BundleError: an answer differs.
        """
        warm()  # no photograph waits for a compiler
        self._learn_pace()
        prepared = self.prepare(_gray_jpeg(48, 64))  # small enough for every limit that can be set
        self.finish(prepared, self.submit(prepared).result())
        sizes = self.pace.sizes if self.backend.gpu else sorted({1, self.pace.sizes[-1]})
        lanes = self.backend.lanes
        mergers = (None,) if self.merger is None else (None, self.merger)
        with ThreadPoolExecutor(lanes) as threads:
            for golden, size, merger in itertools.product(self.manifest.goldens, sizes, mergers):
                proofs = [
                    threads.submit(prove_golden, self.bundle, self.backend, golden, size, merger)
                    for _ in range(lanes)
                ]
                for proof in proofs:
                    proof.result()
        give_back()

    def close(self) -> None:
        """Finish what was submitted and free the device."""
        self.batcher.close()
        if self._own is not None:
            self._own.shutdown()
        for owned in (self.backend, self.merger, self.decoder):
            if owned is not None:
                owned.close()

    def _fitted_size(self, photograph: Size) -> Size:
        return fitted_size(photograph, choose_bucket(photograph, self.manifest.input.buckets))

    def _shown(self, data: bytes, photograph: Photograph) -> NDArray[np.uint8]:
        """The photograph as an overlay shows it; decoded anew where the network needed it smaller.

        Had the network the larger one too, an overlay would show other segments than the other answers.
        """
        size = shown_size(photograph.size)
        if photograph.pixels.shape[:2] != photograph.size:
            photograph = read_photograph(data, max_pixels=self.max_pixels, needed=shown_size)
        return resize(photograph.pixels, size, photograph.box)

    def _learn_pace(self) -> None:
        """Time batch sizes in one bucket as far as they pay; other buckets are expected to take as long a pixel.

        The merging in the graph is timed in the sizes that pay without it.
        """
        first, *_ = buckets = self.manifest.input.buckets

        def run(size: int, engine: Backend | Merger = self.backend) -> float:
            batch = np.zeros((size, *first, 3), np.uint8)
            if self.backend.gpu:  # the first run of a size chooses kernels, in each lane
                for _ in range(self.backend.lanes):
                    engine.run(batch)
            begun = time.perf_counter()
            engine.run(batch)
            return time.perf_counter() - begun

        run(1)  # the first run of all allocates
        found = worthwhile(run, self.batch_sizes)
        self.pace.keep(tuple(found))
        for size, seconds in found.items():
            merged = 0.0 if self.merger is None else run(size, self.merger)
            for rows, columns in buckets:
                share = rows * columns / (first[0] * first[1])
                self.pace.learn(key_of((rows, columns, 3), merged=False), size, seconds * share)
                if self.merger is not None:
                    self.pace.learn(key_of((rows, columns, 3), merged=True), size, merged * share)


def _threads(backend: Backend, pool: Pool | None) -> tuple[Pool, Pool | None]:
    """Whose threads run the batches, and which of them are the engine's own.

    On the processor those that decode and merge run a quick engine too: more that compute than there are cores would
    only take turns, and a photograph would change threads. A slow one would keep from them whatever is answered
    without it, and one on a GPU keeps its threads waiting.
    """
    if pool is not None and backend.gpu is None and 1 < backend.lanes <= pool.size:
        return pool, None
    own = Pool(backend.lanes, "engine")
    return own, own


def _centers_of(merging: MergingSpec) -> tuple[float, int, int]:
    """What decides which centers there are."""
    return merging.threshold, merging.nms_kernel, merging.top_k


def available_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_ids(bundle: Bundle) -> None:
    manifest = bundle.manifest
    if len(manifest.categories) * manifest.merging.label_divisor > MAX_ID:
        raise BundleError(
            f"{bundle.path} has {len(manifest.categories)} categories and label divisor "
            f"{manifest.merging.label_divisor}: ids would pass {MAX_ID}, the largest a panoptic PNG holds. "
            "Export it with a smaller divisor."
        )


def _gray_jpeg(rows: int, columns: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (columns, rows), (128, 128, 128)).save(file, "JPEG")
    return file.getvalue()
