"""Routes: a photograph in, its segments out; and what the service says of itself."""

import asyncio
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from service.capacity import read_capacity
from service.http.answers import Asked
from service.http.bodies import read_image
from service.http.negotiation import choose_format
from service.http.options import Options
from service.http.parts import Parts, TheParts
from service.http.schemas import REQUEST_BODY, RESPONSES
from service.http.urgency import read_urgency
from service.http.walk import gone, unless_gone, walk
from service.metrics import CONTENT_TYPE
from service.pipeline.encode import to_json

router = APIRouter()


@router.post("/v1/panoptic", operation_id="segment", responses=RESPONSES, openapi_extra=REQUEST_BODY)
async def post_panoptic(request: Request, options: Options, parts: TheParts) -> Response:
    """Segment a photograph: every pixel gets its class, and every thing its own id."""
    return await _panoptic(request, options, parts)


@router.put("/v1/panoptic", operation_id="segment_put", responses=RESPONSES, openapi_extra=REQUEST_BODY)
async def put_panoptic(request: Request, options: Options, parts: TheParts) -> Response:
    """The same as POST, for `curl -T photo.jpg`."""
    return await _panoptic(request, options, parts)


@router.get("/v1/model")
async def get_model(parts: TheParts) -> Response:
    """What answers: the bundle's own words, its classes and colours, its proof, its capacity, this server's limits."""
    predictor = parts.readiness.require()
    content: dict[str, Any] = predictor.manifest.model_dump(mode="json", exclude={"files", "goldens"})
    backend, choice, settings = predictor.backend, predictor.choice, parts.settings
    content["digest"] = predictor.bundle.digest
    content["backend"] = {
        "name": backend.name,
        "device": backend.device,
        "precision": backend.precision,
        "reason": choice.reason,
        "fallback": choice.fallback or None,
        "tried": [asdict(trial) for trial in choice.trials],
    }
    content["limits"] = {
        "max_body_mb": settings.max_body_mb,
        "max_megapixels": settings.max_megapixels,
        "max_queue": settings.max_queue,
        "batch_sizes": list(predictor.batch_sizes),
    }
    capacity = read_capacity(predictor.bundle)
    content["capacity"] = capacity and capacity.model_dump(mode="json", exclude={"digest"})
    return Response(to_json(content), media_type="application/json")


@router.get("/livez")
async def get_livez() -> dict[str, str]:
    """Whether the process answers at all."""
    return {"status": "alive"}


@router.get("/readyz")
async def get_readyz(parts: TheParts) -> dict[str, str]:
    """Whether photographs are answered: 200 after the self-test, 503 before, and when the server stops."""
    parts.readiness.require()
    return {"status": "ready"}


@router.get("/metrics")
async def get_metrics(parts: TheParts) -> Response:
    """Prometheus metrics."""
    return Response(parts.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


async def _panoptic(request: Request, options: Options, parts: Parts) -> Response:
    format_ = choose_format(request.headers.get("accept"), options.format)
    request.state.format = format_
    urgency = read_urgency(request.headers, parts.settings.timeout_s)
    with parts.admission.admit(request) as predictor:
        asked = Asked(
            format=format_,
            merging=options.merging(predictor.manifest),
            min_score=options.min_score,
            request_id=request.state.request_id,
            begun=request.state.begun,
        )
        try:
            data = await read_image(request, parts.settings.max_body_mb)
        except ClientDisconnect:
            return gone(request, parts)
        work = asyncio.create_task(walk(parts, predictor, data, asked, urgency))
        return await unless_gone(work, request) or gone(request, parts)
