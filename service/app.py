"""The app: the only wiring of settings, model and HTTP."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware import Middleware

from model.bundle import Bundle, BundleError
from service.backends import (
    CPU,
    Backend,
    Device,
    JpegDecoder,
    Merger,
    Runtime,
    open_jpeg_decoder,
    open_merger,
)
from service.http import kept, open_inference, pages, routes, torchserve
from service.http.admission import Admission
from service.http.cache import Cache
from service.http.context import RequestContext
from service.http.errors import answer_errors
from service.http.farewell import Farewell
from service.http.flights import Flights
from service.http.forecast import Forecast
from service.http.gate import Gate
from service.http.keys import RequireKey, read_keys, warn_of_open_doors
from service.http.openapi import describe
from service.http.parts import Parts
from service.http.patience import BodyInTime
from service.http.readiness import Readiness
from service.http.security import SecurityHeaders
from service.loading import Loading, read_again
from service.metrics import Metrics
from service.pipeline.batch import Batch
from service.pipeline.choice import Choice
from service.pipeline.devices import choose_on_device
from service.pipeline.memory import keep_heaps_small
from service.pipeline.pool import Pool
from service.pipeline.predictor import Predictor, available_cores
from service.settings import Settings
from service.tracing import Tracing, open_tracing
from service.watchdog import watch

log = logging.getLogger("panoptic")

_ROUTERS = (
    routes.photographs,
    routes.router,
    kept.router,
    open_inference.router,
    torchserve.router,
    pages.router,
)

# What `service.tracing` and `service.metrics` tell, the framework would tell again.
_NONE_OF_ITS_OWN = TelemetryConfig(tracing=False, metrics=False, logs=False)

OnState = Callable[[Readiness], None]


def create_app(
    settings: Settings, predictor: Predictor | None = None, *, on_state: OnState = lambda readiness: None
) -> FastAPI:
    """Wire the service.

    Args:
        predictor: a model that is ready; without one the bundle of the settings is loaded when the app starts, and
            the app answers 503 until it has proved itself. The app closes it at its end.
        on_state: called on the event loop when the model is ready, has failed, or its engine is lost.

    Raises:
        BundleError: the bundle of the settings cannot be trusted.
        SettingsError: the file of keys cannot be used.
    """
    bundle = read_again(settings.bundle) if predictor is None else predictor.bundle
    parts = _parts(settings)
    loading = Loading(parts.readiness, settings.bundle, partial(_open_and_prove, parts))
    app = FastAPI(
        title="Panoptic segmentation",
        version=_version(),
        # Included routers would look for the route twice, in every request.
        routes=[route for router in _ROUTERS for route in router.routes],
        docs_url=None,
        redoc_url=None,
        lifespan=lambda app: _live(parts, loading, bundle, predictor, on_state),
        telemetry=_NONE_OF_ITS_OWN,
        middleware=_middleware(parts),
    )
    app.state.parts = parts
    app.state.loading = loading
    answer_errors(app)
    describe(app)
    return app


def open_predictor(
    bundle: Bundle,
    settings: Settings,
    metrics: Metrics | None = None,
    tracing: Tracing | None = None,
    pool: Pool | None = None,
) -> Predictor:
    """Open the bundle's graph on this machine; `prove` is still to be called.

    Args:
        pool: threads that may run batches too; without one the engine has its own.

    Raises: BundleError: no runtime here can run it.
    """
    metrics, tracing = metrics or Metrics(), tracing or Tracing()
    keep_heaps_small()  # before the first graph is loaded
    choice = choose_on_device(
        bundle,
        device_of(settings),
        fallback=settings.device_fallback,
        runtime=runtime_of(settings),
        precision=settings.precision,
        threads=settings.threads or available_cores(),
    )
    _tell(choice)
    metrics.model.fallback.set(bool(choice.fallback))
    merger, decoder = _beside(bundle, settings, choice.backend)
    return Predictor(
        bundle,
        choice.backend,
        choice=choice,
        merger=merger,
        decoder=decoder,
        max_batch=settings.max_batch,
        max_queue=settings.max_queue,
        max_pixels=settings.max_pixels,
        max_queue_pixels=settings.max_queue_pixels,
        ageing_s=settings.ageing_s,
        pool=pool,
        on_batch=partial(_tell_batch, metrics, tracing),
    )


def runtime_of(settings: Settings) -> Runtime | Literal["auto"]:
    """The runtime that the settings ask for: merging in the graph is done by one alone.

    Raises: BundleError: they ask for another.
    """
    if settings.merging == "host":
        return settings.backend
    if settings.backend not in ("auto", "onnxruntime"):
        raise BundleError(
            f"--merging graph is served by onnxruntime, not by {settings.backend}. Ask for --backend onnxruntime, or "
            "for --merging host."
        )
    return "onnxruntime"


def _beside(bundle: Bundle, settings: Settings, backend: Backend) -> tuple[Merger | None, JpegDecoder | None]:
    """The merging in the graph and a GPU's decoder, where they are asked for, on the device that was taken.

    Where the processor stands in for a GPU it decodes too.
    """
    merger = decoder = None
    asked = device_of(settings)
    taken = CPU if backend.gpu is None else asked
    try:
        if settings.decode == "gpu" and (taken.gpu is not None or asked.gpu is None):
            decoder = open_jpeg_decoder(taken)
        if settings.merging == "graph":
            merger = open_merger(bundle, threads=settings.threads or available_cores(), device=taken)
    except BundleError:
        for opened in (decoder, backend):
            if opened is not None:
                opened.close()
        raise
    return merger, decoder


def _tell_batch(metrics: Metrics, tracing: Tracing, batch: Batch) -> None:
    """Count and trace a batch, in its thread."""
    metrics.batches.observe(
        images=batch.images,
        size=batch.size,
        reason=batch.reason,
        pixels=batch.pixels,
        padding_ratio=batch.padding_ratio,
        waited_s=batch.waited_s,
    )
    attributes = {
        "panoptic.batch": batch.number,
        "panoptic.images": batch.images,
        "panoptic.size": batch.size,
        "panoptic.reason": batch.reason,
    }
    tracing.batch(batch.origins, batch.seconds, attributes)


def device_of(settings: Settings) -> Device:
    """Where the settings want the engine."""
    kind, _, number = settings.device.partition(":")
    limit = int(settings.device_memory_mb * 1_000_000) or None
    return Device(None if kind == "cpu" else int(number or 0), limit, settings.tf32)


def _tell(choice: Choice) -> None:
    backend = choice.backend
    if choice.fallback:
        log.warning("the processor stands in for the GPU: %s", choice.fallback)
    log.info(
        "%s in %s runs the model (%s); %s",
        backend.name,
        backend.precision,
        choice.reason,
        "; ".join(map(str, choice.trials)),
    )


def _parts(settings: Settings) -> Parts:
    metrics = Metrics()
    readiness = Readiness(metrics)
    workers = settings.workers or available_cores()
    forecast = Forecast(workers)
    # Those that are decoded and merged, and as many that are next; on a GPU the batches that run, which may be two, and
    # one that waits. On a processor the threads that decode run it, or a batch seldom has more than one.
    places = 2 * workers + (0 if settings.device == "cpu" else 3 * settings.max_batch)
    gate = Gate(places, ageing_s=settings.ageing_s)
    metrics.walks.waiting.set_function(lambda: gate.waiting)
    return Parts(
        settings,
        metrics,
        open_tracing(),
        readiness,
        Admission(settings, readiness, forecast),
        forecast,
        gate,
        Flights(gate.leave),
        Cache(settings.cache_bytes),
        Pool(workers, "photograph"),
    )


def _middleware(parts: Parts) -> list[Middleware]:
    """What every request passes, from the outside in."""
    settings = parts.settings
    keys = () if settings.keys is None else read_keys(settings.keys)
    warn_of_open_doors(settings.host, keys)
    return [
        Middleware(SecurityHeaders),
        Middleware(RequestContext, metrics=parts.metrics, tracing=parts.tracing),
        Middleware(Farewell, readiness=parts.readiness),
        Middleware(RequireKey, keys=keys, metrics=parts.metrics),
        Middleware(BodyInTime, timeout_s=settings.body_timeout_s, metrics=parts.metrics),
    ]


@asynccontextmanager
async def _live(
    parts: Parts, loading: Loading, bundle: Bundle, predictor: Predictor | None, on_state: OnState
) -> AsyncIterator[None]:
    """The app's life: the model is loaded beside it, watched, and closed when all is answered."""
    begun = asyncio.create_task(_begin(parts, loading, bundle, predictor, on_state))
    watching = asyncio.create_task(_watch(parts, on_state))
    try:
        yield
    finally:
        watching.cancel()
        parts.readiness.stop()
        await begun
        await loading.close()
        await asyncio.to_thread(parts.pool.shutdown, wait=not parts.readiness.lost)
        await asyncio.to_thread(parts.tracing.close)


async def _begin(
    parts: Parts, loading: Loading, bundle: Bundle, predictor: Predictor | None, on_state: OnState
) -> None:
    await loading.first(bundle, predictor)
    on_state(parts.readiness)


async def _watch(parts: Parts, on_state: OnState) -> None:
    reason = await watch(parts.readiness, parts.settings.engine_timeout_s)
    log.critical("%s", reason)
    parts.readiness.lose(reason)
    on_state(parts.readiness)


def _open_and_prove(parts: Parts, bundle: Bundle) -> Predictor:
    begun = time.perf_counter()
    predictor = open_predictor(bundle, parts.settings, parts.metrics, parts.tracing, parts.pool)
    try:
        predictor.prove()
    except BaseException:
        predictor.close()
        raise
    parts.metrics.model.warmup.set(time.perf_counter() - begun)
    return predictor


def _version() -> str:
    try:
        return version("panoptic-service")
    except PackageNotFoundError:
        return "0"
