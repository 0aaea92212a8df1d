"""The Open Inference Protocol, version 2: what KServe's and Triton's clients speak."""

import asyncio
import base64
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from model.bundle import Manifest
from service.http.answering import make_asked
from service.http.bodies import read_whole
from service.http.many import Answering, answer_each, problem_of
from service.http.openapi import INFER_BODY, INFERRED, problems
from service.http.parts import TheParts
from service.http.problems import Problem
from service.http.schemas import (
    LiveAnswer,
    MetadataAnswer,
    ModelMetadataAnswer,
    ModelReadyAnswer,
    ReadyAnswer,
    TensorAnswer,
)
from service.http.tensors import HEADER, INPUT, InferAnswer, Inference, read_inference, write_tensors
from service.http.torchserve import check_model
from service.http.urgency import read_urgency
from service.http.walk import gone, unless_gone
from service.pipeline.encode import to_json

EXTENSION = "binary_tensor_data"


class _Route(APIRoute):
    """A route whose problems have the member `error` beside ours, where the protocol's clients look for it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def with_error(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as problem:
                problem.fields["error"] = problem.detail
                raise

        return with_error


router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"], route_class=_Route)

_NO_MODEL = problems("not-found", "not-ready", "key-required")


@router.get("", operation_id="oip_server")
async def get_server(request: Request) -> MetadataAnswer:
    """The server's name, version and extensions."""
    return MetadataAnswer(name="panoptic-service", version=request.app.version, extensions=[EXTENSION])


@router.get("/health/live", operation_id="oip_live")
async def get_live() -> LiveAnswer:
    """Whether the process answers at all."""
    return LiveAnswer(live=True)


@router.get("/health/ready", operation_id="oip_ready", responses=problems("not-ready"))
async def get_ready(parts: TheParts) -> ReadyAnswer:
    """Whether photographs are answered."""
    parts.readiness.require()
    return ReadyAnswer(ready=True)


@router.get("/models/{model}", operation_id="oip_model", responses=_NO_MODEL)
async def get_model(model: str, parts: TheParts) -> ModelMetadataAnswer:
    """The model's inputs and outputs."""
    check_model(model, parts)
    predictor = parts.readiness.serving()
    return ModelMetadataAnswer(
        name=model,
        versions=[predictor.manifest.version],
        platform=predictor.backend.name,
        inputs=[TensorAnswer(name=INPUT)],
        outputs=[TensorAnswer(name="panoptic_png"), TensorAnswer(name="answer")],
    )


@router.get("/models/{model}/ready", operation_id="oip_model_ready", responses=_NO_MODEL)
async def get_model_ready(model: str, parts: TheParts) -> ModelReadyAnswer:
    """Whether this model answers."""
    check_model(model, parts)
    return ModelReadyAnswer(name=model, ready=True)


@router.post(
    "/models/{model}/infer",
    operation_id="oip_infer",
    responses=INFERRED | problems("not-found"),
    openapi_extra=INFER_BODY,
)
async def post_infer(model: str, request: Request, parts: TheParts) -> Response:
    """Segment the photographs of a BYTES tensor; the first that cannot be answered is the request's problem."""
    check_model(model, parts)
    request.state.format = "oip"
    urgency = read_urgency(request, parts.settings.timeout_s)
    with parts.admission.admit(request, urgency) as predictor:
        try:
            body = await read_whole(request, parts.settings.max_body_mb)
        except ClientDisconnect:
            return gone(request)
        inference = await asyncio.get_running_loop().run_in_executor(
            parts.pool, read_inference, body, request.headers.get(HEADER), parts.settings.max_images
        )
        asked = make_asked(request, predictor, inference.params, "json")
        with parts.admission.admit_more(request, predictor, urgency, len(inference.images) - 1):
            tasks = answer_each(parts, predictor, inference.images, asked, urgency, request.state.account)
            return await unless_gone(_write(tasks, inference, predictor.manifest), request)


async def _write(tasks: Sequence[Answering], inference: Inference, manifest: Manifest) -> Response:
    """Wait for all, and write the outputs.

    Raises: Problem: the first that one of them has.
    """
    answers = await asyncio.gather(*tasks)
    for each in answers:
        if each.status_code != 200:
            raise problem_of(each)
    documents = [orjson.loads(each.body) for each in answers]
    pngs = [document.pop("panoptic_png") for document in documents]
    texts = [to_json(document) for document in documents]
    columns = {
        "panoptic_png": ([base64.b64decode(png) for png in pngs], pngs),
        "answer": (texts, [text.decode() for text in texts]),
    }
    tensors, behind = write_tensors([(name, binary, *columns[name]) for name, binary in inference.wanted])
    content = InferAnswer(
        model_name=manifest.name, model_version=manifest.version, id=inference.id, outputs=tensors
    )
    told = to_json(content.model_dump(exclude_none=True))
    if not behind:
        return Response(told, media_type="application/json")
    return Response(told + behind, headers={HEADER: str(len(told))}, media_type="application/octet-stream")
