"""Kept answers: an answer that was given can be asked for again by its address, while the cache has its photograph."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from service.http.addresses import etag, tell
from service.http.openapi import SEGMENTED, problems
from service.http.parts import TheParts
from service.http.problems import Problem
from service.http.urgency import read_urgency
from service.http.walk import unless_gone, walk_again

router = APIRouter()


@router.get(
    "/v1/panoptic/{digest}",
    operation_id="get_answer",
    responses={
        **{status: SEGMENTED[status] for status in (200, 401, 403, 422, 429, 500, 503, 504)},
        **problems("not-found"),
        304: {"description": "The caller has this answer already, as If-None-Match says."},
    },
)
async def get_answer(digest: str, request: Request, parts: TheParts) -> Response:
    """An answer once more, where the result cache is on: the address is the first one's Content-Location."""
    urgency = read_urgency(request, parts.settings.timeout_s)
    with parts.admission.admit(request, urgency) as predictor:
        found = parts.cache.find(urgency.caller, digest)
        if found is None or found[0].photograph.bundle != predictor.bundle.digest:
            raise Problem("not-found", _not_kept(on=parts.cache.on))
        name, seen = found
        request.state.format = name.asked.format
        if _has(request, digest):
            response = Response(status_code=304)
            tell(response, digest)
            return response
        asked = replace(name.asked, request_id=request.state.request_id, begun=request.state.begun)
        work = walk_again(parts, predictor, name.photograph, seen, asked, urgency, request.state.account)
        return await unless_gone(work, request)


def _has(request: Request, digest: str) -> bool:
    """Whether If-None-Match names the answer; tags are compared as weak ones."""
    given = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    return "*" in given or any(tag.removeprefix("W/") == etag(digest).removeprefix("W/") for tag in given)


def _not_kept(*, on: bool) -> str:
    if not on:
        return "This server keeps no answers (PANOPTIC_CACHE_MB is 0). Send the photograph."
    return "No answer of that address was given to you, or it is kept no longer. Send the photograph again."
