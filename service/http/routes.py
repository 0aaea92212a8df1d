"""Routes: a photograph in, its segments out; and what the service says of itself."""

from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute

from service.capacity import read_capacity
from service.http.answering import answer
from service.http.checks import Verbose, probed, require
from service.http.openapi import REQUEST_BODY, SEGMENTED, problems
from service.http.parts import TheParts
from service.http.problems import Problem
from service.http.schemas import (
    LabelAnswer,
    LabelsAnswer,
    ModelAnswer,
    ModelName,
    ProbeAnswer,
    VersionAnswer,
)
from service.pipeline.encode import to_json
from service.pipeline.predictor import Predictor


class AsItComes(APIRoute):
    """A route whose endpoint is given the request as it is, for which the framework has nothing to find out."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        return self.endpoint


photographs = APIRouter(route_class=AsItComes)
router = APIRouter()


@photographs.post("/v1/panoptic", operation_id="segment", responses=SEGMENTED, openapi_extra=REQUEST_BODY)
async def post_panoptic(request: Request) -> Response:
    """Segment a photograph: every pixel gets its class, and every thing its own id."""
    return await answer(request)


@photographs.put("/v1/panoptic", operation_id="segment_put", responses=SEGMENTED, openapi_extra=REQUEST_BODY)
async def put_panoptic(request: Request) -> Response:
    """The same as POST, for `curl -T photo.jpg`."""
    return await answer(request)


@router.get(
    "/v1/model",
    operation_id="get_model",
    responses={
        200: {"model": ModelAnswer, "description": "The model."},
        **problems("not-ready", "key-required"),
    },
)
async def get_model(parts: TheParts) -> Response:
    """What answers: the bundle's own words, its classes and colours, its proof, its capacity, this server's limits."""
    predictor = parts.readiness.serving()
    content: dict[str, Any] = predictor.manifest.model_dump(mode="json", exclude={"files", "goldens"})
    backend, choice, settings = predictor.backend, predictor.choice, parts.settings
    content["digest"] = predictor.bundle.digest
    content["backend"] = {
        "name": backend.name,
        "device": backend.device,
        "precision": backend.precision,
        "decode": "cpu" if predictor.decoder is None else "gpu",
        "merging": "host" if predictor.merger is None else "graph",
        "reason": choice.reason,
        "fallback": choice.fallback or None,
        "tried": [asdict(trial) for trial in choice.trials],
    }
    content["limits"] = {
        "max_body_mb": settings.max_body_mb,
        "max_megapixels": settings.max_megapixels,
        "max_images": settings.max_images,
        "max_queue": settings.max_queue,
        "batch_sizes": list(predictor.batch_sizes),
    }
    capacity = read_capacity(predictor.bundle)
    content["capacity"] = capacity and capacity.model_dump(mode="json", exclude={"digest"})
    return Response(to_json(content), media_type="application/json")


@router.get("/v1/labels", operation_id="get_labels", responses=problems("not-ready", "key-required"))
async def get_labels(parts: TheParts) -> LabelsAnswer:
    """The classes: the names and numbers that answers tell and that `classes` takes."""
    predictor = parts.readiness.serving()
    labels = [
        LabelAnswer(class_index=index, **category.model_dump())
        for index, category in enumerate(predictor.manifest.categories)
    ]
    return LabelsAnswer(model=_name(predictor), labels=labels)


@router.get("/version", operation_id="get_version")
async def get_version(request: Request, parts: TheParts) -> VersionAnswer:
    """Which build this is, and which model it has proved."""
    predictor = parts.readiness.predictor
    return VersionAnswer(version=request.app.version, model=None if predictor is None else _name(predictor))


@router.get(
    "/livez",
    operation_id="get_livez",
    response_model_exclude_none=True,
    responses=problems("engine-lost", "invalid-option"),
)
async def get_livez(parts: TheParts, verbose: Verbose = None) -> ProbeAnswer:
    """Whether this process can answer: 503 where its engine is lost, and only a new process helps."""
    parts.readiness.check_alive()
    return probed("alive", parts, verbose)


@router.get(
    "/readyz",
    operation_id="get_readyz",
    response_model_exclude_none=True,
    responses=problems("not-ready", "invalid-option"),
)
async def get_readyz(parts: TheParts, verbose: Verbose = None) -> ProbeAnswer:
    """Whether photographs are answered: 200 after the self-test, 503 before, and when the server stops."""
    require(parts, verbose)
    return probed("ready", parts, verbose)


@router.get(
    "/startupz",
    operation_id="get_startupz",
    response_model_exclude_none=True,
    responses=problems("not-ready", "invalid-option"),
)
async def get_startupz(parts: TheParts, verbose: Verbose = None) -> ProbeAnswer:
    """Whether the start is over: 200 once the model has passed its self-test, and for good."""
    if parts.readiness.predictor is None:
        require(parts, verbose)
    return probed("started", parts, verbose)


@router.get(
    "/metrics",
    operation_id="get_metrics",
    response_class=PlainTextResponse,
    responses={
        200: {
            "description": "Metrics in Prometheus's text format, or in OpenMetrics'.",
            "content": {"application/openmetrics-text": {"schema": {"type": "string"}}},
        },
        **problems("not-found"),
    },
)
async def get_metrics(request: Request, parts: TheParts) -> Response:
    """Prometheus metrics, where they have no port of their own; in OpenMetrics' form with exemplars."""
    if parts.settings.metrics_port:
        raise Problem("not-found", "The metrics have a port of their own here, for whoever runs the server.")
    content, media_type = parts.metrics.tell(", ".join(request.headers.getlist("accept")))
    return Response(content, headers={"Content-Type": media_type, "Vary": "Accept"})


def _name(predictor: Predictor) -> ModelName:
    manifest = predictor.manifest
    return ModelName(name=manifest.name, version=manifest.version, digest=predictor.bundle.digest)
