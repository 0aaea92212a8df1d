"""Metrics: what the service counts, for Prometheus."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

__all__ = ["PRIORITIES", "STATES", "Metrics"]

STATES = ("starting", "ready", "failed", "leaving", "stopping", "lost")

STAGES = ("wait", "decode", "queue", "infer", "merge")
"""Of a photograph's walk."""

PRIORITIES = ("interactive", "batch")

REFUSALS = (
    "body-too-large",
    "deadline-too-near",
    "engine-lost",
    "key-busy",
    "key-required",
    "not-ready",
    "queue-full",
    "too-slow",
)
"""Problems that refuse a request before any work."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_IMAGES = (1, 2, 4, 8, 16, 32)
_PIXELS = (1e5, 2.5e5, 5e5, 1e6, 2e6, 4e6, 8e6, 1.6e7, 3.2e7, 6.4e7)
_RATIOS = (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75)
_SEGMENTS = (0, 2, 5, 10, 20, 50, 100, 200)


class BatchMetrics:
    """What the engine's batches were."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.images = Histogram(
            "panoptic_batch_images", "Images in a batch.", buckets=_IMAGES, registry=registry
        )
        self.pixels = Histogram(
            "panoptic_batch_pixels",
            "Pixels of the network's input in a batch, padding too.",
            buckets=_PIXELS,
            registry=registry,
        )
        self.padding_ratio = Histogram(
            "panoptic_batch_padding_ratio",
            "Share of a batch's pixels that show no photograph: borders, and rows that only fill up.",
            buckets=_RATIOS,
            registry=registry,
        )
        self.waits = Histogram(
            "panoptic_queue_wait_seconds",
            "Time that an image waited for the engine, of those that it ran.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.padding = Counter(
            "panoptic_batch_padding_images",
            "Rows of batches that held no image, run to fill an allowed size.",
            registry=registry,
        )
        self.releases = Counter(
            "panoptic_batch_release",
            "Batches by why they left so large: full, more waited; idle, all that waited; deadline, cut to be in time.",
            ["reason"],
            registry=registry,
        )

        _begin_at_zero(self.releases, "full", "idle", "deadline")

    def observe(
        self,
        *,
        images: int,
        size: int,
        reason: str,
        pixels: int,
        padding_ratio: float,
        waited_s: Iterable[float],
    ) -> None:
        """Count one batch of so many images, run in an allowed size."""
        self.images.observe(images)
        self.pixels.observe(pixels)
        self.padding.inc(size - images)
        self.padding_ratio.observe(padding_ratio)
        self.releases.labels(reason).inc()
        for seconds in waited_s:
            self.waits.observe(seconds)


class WalkMetrics:
    """What became of photographs on their way."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = Gauge(
            "panoptic_waiting_photographs",
            "Accepted photographs that wait to be decoded.",
            registry=registry,
        )
        self.pixels = Histogram(
            "panoptic_image_pixels",
            "Pixels of the photographs that were decoded.",
            buckets=_PIXELS,
            registry=registry,
        )
        self.segments = Histogram(
            "panoptic_segments_per_image",
            "Segments that the model found in an answered photograph.",
            buckets=_SEGMENTS,
            registry=registry,
        )
        self.cancelled = Counter(
            "panoptic_cancelled",
            "Photographs whose caller left before the answer.",
            ["stage"],
            registry=registry,
        )
        self.late = Counter(
            "panoptic_late",
            "Photographs whose deadline passed before the answer.",
            ["stage"],
            registry=registry,
        )
        self.failures = Counter(
            "panoptic_engine_failures",
            "Photographs on which the engine failed: error, it raised one; not_finite, its heads are no numbers.",
            ["kind"],
            registry=registry,
        )
        self.cache = Counter(
            "panoptic_cache_requests",
            "Photographs by where their run came from: miss, its own; joined, one under way; hit, the cache.",
            ["result"],
            registry=registry,
        )
        _begin_at_zero(self.cancelled, "body", *STAGES)
        _begin_at_zero(self.late, *STAGES)
        _begin_at_zero(self.failures, "error", "not_finite")
        _begin_at_zero(self.cache, "miss", "joined", "hit")


class ModelMetrics:
    """Which model answers, and what runs it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.state = Gauge(
            "panoptic_model_state", "1 for the state the model is in.", ["state"], registry=registry
        )
        self.backend = Gauge(
            "panoptic_backend_info",
            "What runs the model.",
            ["backend", "precision", "device", "bundle", "reason"],
            registry=registry,
        )
        self.fallback = Gauge(
            "panoptic_backend_fallback",
            "1 where the processor stands in for a GPU that was asked for and cannot be used.",
            registry=registry,
        )
        self.trials = Gauge(
            "panoptic_backend_trial_seconds",
            "Time of one photograph with each runtime and precision that was measured at the start.",
            ["backend", "precision"],
            registry=registry,
        )
        self.warmup = Gauge(
            "panoptic_warmup_seconds",
            "Time that the latest bundle took to be opened and to prove itself.",
            registry=registry,
        )
        self.reloads = Counter(
            "panoptic_reloads",
            "Bundles that were loaded again while serving: swapped, same, kept (the old one, as the new failed).",
            ["result"],
            registry=registry,
        )
        _begin_at_zero(self.reloads, "swapped", "same", "kept")
        self.set_state(STATES[0])

    def set_state(self, state: str) -> None:
        """Say which of STATES the model is in."""
        for each in STATES:
            self.state.labels(each).set(each == state)


class GpuMetrics:
    """What an engine knows of its GPU; nothing where it runs on a processor."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.memory = Gauge(
            "panoptic_gpu_memory_bytes",
            "What the engine took: engine (its weights), buffers and scratch of the GPU, pinned of the host; or limit, "
            "what it may take.",
            ["kind"],
            registry=registry,
        )
        self.build = Gauge(
            "panoptic_engine_build_seconds",
            "Time that building the engine took, as its record tells.",
            ["backend"],
            registry=registry,
        )
        self.lost = Counter(
            "panoptic_gpu_lost",
            "GPUs that this process lost; it ends after the first.",
            registry=registry,
        )

    def tell(self, backend: str, memory: Mapping[str, int], build_seconds: float | None) -> None:
        """Tell of the engine that answers from now on."""
        self.memory.clear()
        self.build.clear()
        for kind, size in memory.items():
            self.memory.labels(kind).set(size)
        if build_seconds is not None:
            self.build.labels(backend).set(build_seconds)


class WhereKnown(Collector):
    """A gauge that has no sample while its value is not known: 0 would be read as nothing to do."""

    def __init__(self, name: str, about: str, value: Callable[[], float | None]):
        self._name, self._about, self._value = name, about, value

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauge, or nothing."""
        value = self._value()
        if value is not None:
            yield GaugeMetricFamily(self._name, self._about, value=value)


class Metrics:
    """One registry and all that stands in it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "panoptic_requests",
            "Requests answered.",
            ["route", "status", "format"],
            registry=self.registry,
        )
        self.duration = Histogram(
            "panoptic_request_duration_seconds",
            "Time from a request's headers to the end of its answer.",
            ["format"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.stages = Histogram(
            "panoptic_stage_duration_seconds",
            "Time that a photograph spends in a stage.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batches = BatchMetrics(self.registry)
        self.walks = WalkMetrics(self.registry)
        self.queue = Gauge(
            "panoptic_queue_depth", "Images that wait for the engine.", ["priority"], registry=self.registry
        )
        self.queued_pixels = Gauge(
            "panoptic_queued_pixels",
            "Pixels of the photographs that wait for the engine.",
            registry=self.registry,
        )
        self.inflight = Gauge(
            "panoptic_inflight_requests", "Photographs accepted and not yet answered.", registry=self.registry
        )
        self.inflight_bytes = Gauge(
            "panoptic_inflight_body_bytes",
            "Bytes of the bodies of accepted requests, as they were declared.",
            registry=self.registry,
        )
        self.rejected = Counter(
            "panoptic_rejected", "Requests refused before any work.", ["reason"], registry=self.registry
        )
        self.model = ModelMetrics(self.registry)
        self.gpu = GpuMetrics(self.registry)
        _begin_at_zero(self.rejected, *REFUSALS)
        for priority in PRIORITIES:
            self.queue.labels(priority)

    def observe_stages(self, timings_ms: Mapping[str, float]) -> None:
        """Count the stages of one photograph."""
        for stage, milliseconds in timings_ms.items():
            self.stages.labels(stage).observe(milliseconds / 1000)

    def watch(self, *, queue: Callable[[str], float], queued_pixels: Callable[[], float]) -> None:
        """Read the queue where it is asked for; `queue` is given one of PRIORITIES."""
        for priority in PRIORITIES:
            self.queue.labels(priority).set_function(partial(queue, priority))
        self.queued_pixels.set_function(queued_pixels)

    def tell(self, accept: str = "") -> tuple[bytes, str]:
        """All of it and its media type, in the form that Accept asks for.

        That is Prometheus' text, or OpenMetrics, which alone has a place for exemplars.
        """
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type

    def text(self) -> bytes:
        """All of it, in Prometheus' text."""
        return self.tell()[0]


def _begin_at_zero(counter: Counter, *labels: str) -> None:
    """Tell what has not happened yet as 0: a series that begins at 1 has no rate at its first event."""
    for label in labels:
        counter.labels(label)
