"""The app: the only wiring of settings, model and HTTP."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Match

from model.bundle import Bundle, read_bundle
from service.backends import Device
from service.http import pages, routes
from service.http.admission import Admission
from service.http.context import RequestContext
from service.http.options import problem_of_options
from service.http.parts import Parts
from service.http.problems import Problem
from service.http.readiness import Readiness
from service.http.schemas import ProblemAnswer
from service.metrics import Metrics
from service.pipeline.choice import Choice
from service.pipeline.devices import choose_on_device
from service.pipeline.predictor import Predictor, available_cores
from service.settings import Settings

log = logging.getLogger("panoptic")

OnState = Callable[[Readiness], None]


def create_app(
    settings: Settings, predictor: Predictor | None = None, *, on_state: OnState = lambda readiness: None
) -> FastAPI:
    """Wire the service.

    Args:
        predictor: a model that is ready; without one the bundle of the settings is loaded when the app starts, and
            the app answers 503 until it has proved itself. The app closes it at its end.
        on_state: called on the event loop when the model is ready or has failed.

    Raises: BundleError: the bundle of the settings cannot be trusted.
    """
    bundle = read_bundle(settings.bundle) if predictor is None else predictor.bundle
    parts = _parts(settings)
    app = FastAPI(
        title="Panoptic segmentation",
        version=_version(),
        docs_url=None,
        redoc_url=None,
        lifespan=lambda app: _live(parts, bundle, predictor, on_state),
        middleware=[Middleware(RequestContext, metrics=parts.metrics)],
    )
    app.state.parts = parts
    app.include_router(routes.router)
    app.include_router(pages.router)
    _answer_errors(app)
    _describe_problems(app)
    return app


def open_predictor(bundle: Bundle, settings: Settings, metrics: Metrics | None = None) -> Predictor:
    """Open the bundle's graph on this machine; `prove` is still to be called.

    Raises: BundleError: no runtime here can run it.
    """
    metrics = metrics or Metrics()
    batches = metrics.batches
    choice = choose_on_device(
        bundle,
        device_of(settings),
        fallback=settings.device_fallback,
        runtime=settings.backend,
        precision=settings.precision,
        threads=settings.threads or available_cores(),
    )
    _tell(choice)
    metrics.fallback.set(bool(choice.fallback))
    return Predictor(
        bundle,
        choice.backend,
        choice=choice,
        max_batch=settings.max_batch,
        max_queue=settings.max_queue,
        max_pixels=settings.max_pixels,
        max_queue_pixels=settings.max_queue_pixels,
        ageing_s=settings.ageing_s,
        on_release=lambda release: batches.observe(release.items, release.size, release.reason),
        on_late=batches.late.inc,
    )


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
    pool = ThreadPoolExecutor(settings.workers or available_cores(), thread_name_prefix="photograph")
    return Parts(settings, metrics, readiness, Admission(settings, readiness), pool)


@asynccontextmanager
async def _live(
    parts: Parts, bundle: Bundle, predictor: Predictor | None, on_state: OnState
) -> AsyncIterator[None]:
    """The app's life: the model is loaded beside it, and closed when all is answered."""
    loading = asyncio.create_task(_load(parts, bundle, predictor, on_state))
    try:
        yield
    finally:
        await loading
        parts.readiness.stopping()
        if parts.readiness.predictor is not None:
            await asyncio.to_thread(parts.readiness.predictor.close)
        await asyncio.to_thread(parts.pool.shutdown)


async def _load(parts: Parts, bundle: Bundle, predictor: Predictor | None, on_state: OnState) -> None:
    try:
        if predictor is None:
            predictor = await asyncio.to_thread(_open_and_prove, parts, bundle)
        parts.readiness.ready(predictor)
    except Exception as error:
        log.error("the model failed to load: %s", error)
        parts.readiness.failed(error)
    on_state(parts.readiness)


def _open_and_prove(parts: Parts, bundle: Bundle) -> Predictor:
    predictor = open_predictor(bundle, parts.settings, parts.metrics)
    try:
        predictor.prove()
    except BaseException:
        predictor.close()
        raise
    return predictor


def _answer_errors(app: FastAPI) -> None:
    """Answer every error as a problem; what nobody foresaw is caught by `RequestContext`."""

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.to_response(request.state.request_id)

    async def on_options(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_of_options(error).to_response(request.state.request_id)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _problem_of_http(request, error).to_response(request.state.request_id)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_options)
    app.add_exception_handler(HTTPException, on_http)


def _problem_of_http(request: Request, error: HTTPException) -> Problem:
    if error.status_code == 405:
        allowed = ", ".join(sorted(_methods(request)))
        detail = f"{request.url.path} does not take {request.method}, it takes {allowed}."
        return Problem("method-not-allowed", detail, headers={"Allow": allowed})
    if error.status_code == 404:
        return Problem("not-found", f"There is no {request.url.path}. The start page / tells what there is.")
    return Problem("internal-error", "The service failed; its log has this request's id.")


def _methods(request: Request) -> set[str]:
    """Methods of all routes at a path; the framework names those of the first."""
    return {
        method
        for route in (*routes.router.routes, *pages.router.routes)
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", ())
    }


def _describe_problems(app: FastAPI) -> None:
    """Add the problem's schema, which no route returns as a model, to OpenAPI."""
    plain = app.openapi

    def openapi() -> dict[str, object]:
        schema = plain()
        schema["components"]["schemas"]["ProblemAnswer"] = ProblemAnswer.model_json_schema()
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _version() -> str:
    try:
        return version("panoptic-service")
    except PackageNotFoundError:
        return "0"
