"""TorchServe's routes, for callers who come from there; they answer what `/v1/panoptic` answers."""

from fastapi import APIRouter, Request, Response

from service.http.answering import answer
from service.http.openapi import REQUEST_BODY_OF_PREDICTIONS, SEGMENTED, problems
from service.http.parts import Parts, TheParts, parts_of
from service.http.problems import Problem
from service.http.schemas import PingAnswer
from service.http.sent import PART

router = APIRouter(tags=["TorchServe"])

PARTS = ("data", "body", PART)
"""What a form's part with a photograph may be called: TorchServe's names, and ours."""

_NO_MODEL = problems("not-found")


@router.post(
    "/predictions/{model}",
    operation_id="predict",
    responses=SEGMENTED | _NO_MODEL,
    openapi_extra=REQUEST_BODY_OF_PREDICTIONS,
)
async def post_prediction(model: str, request: Request) -> Response:
    """Segment a photograph, as TorchServe's clients ask for it."""
    return await _predict(model, request)


@router.put(
    "/predictions/{model}",
    operation_id="predict_put",
    responses=SEGMENTED | _NO_MODEL,
    openapi_extra=REQUEST_BODY_OF_PREDICTIONS,
)
async def put_prediction(model: str, request: Request) -> Response:
    """The same as POST, for `curl -T photo.jpg`."""
    return await _predict(model, request)


@router.get("/ping", operation_id="ping", responses=problems("not-ready"))
async def get_ping(parts: TheParts) -> PingAnswer:
    """Whether photographs are answered."""
    parts.readiness.require()
    return PingAnswer(status="Healthy")


def check_model(name: str, parts: Parts) -> None:
    """Refuse the name of a model that is not here.

    Raises: Problem: not-ready or not-found.
    """
    here = parts.readiness.serving().manifest.name
    if name != here:
        raise Problem("not-found", f"There is no model {name!r}; the model here is {here!r}.")


async def _predict(model: str, request: Request) -> Response:
    check_model(model, await parts_of(request))
    return await answer(request, PARTS)
