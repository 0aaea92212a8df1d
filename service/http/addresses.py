"""Addresses: what makes two photographs, and two answers, the same."""

import asyncio
import hashlib
from concurrent.futures import Executor
from dataclasses import dataclass, fields

from starlette.responses import Response

from service.http.answers import Asked
from service.http.urgency import Urgency
from service.pipeline.predictor import Predictor

PATH = "/v1/panoptic/"

_OWN = ("request_id", "begun")  # who asked, and when, makes no other answer
_AT_ONCE = 1 << 20  # bytes whose digest the event loop does not notice


@dataclass(frozen=True)
class Photograph:
    """A photograph that somebody sent, as one bundle sees it. Equal ones may share a run."""

    caller: str  # the name of its key, so that nobody learns what others send
    sha256: str  # of its bytes; empty where nothing is shared
    bundle: str  # the bundle's digest
    shown: bool  # whether it is kept itself, to be shown under its segments
    merged: bool = False  # whether it is to be merged in the graph, which serves only some options


async def recognise(
    pool: Executor, predictor: Predictor, data: bytes, asked: Asked, urgency: Urgency
) -> Photograph:
    """Name a photograph by its bytes; many of them are read in a thread of the pool."""
    if urgency.alone:
        digest = ""
    elif len(data) <= _AT_ONCE:
        digest = _sha256(data)
    else:
        digest = await asyncio.get_running_loop().run_in_executor(pool, _sha256, data)
    merged = predictor.merges(asked.merging)
    return Photograph(urgency.caller, digest, predictor.bundle.digest, asked.shows_photograph, merged)


def address(photograph: Photograph, asked: Asked) -> str:
    """The digest of an answer: of the photograph, the bundle, the options and the form."""
    wish = {field.name: getattr(asked, field.name) for field in fields(asked) if field.name not in _OWN}
    plain = [(name, sorted(each) if isinstance(each, frozenset) else each) for name, each in wish.items()]
    return hashlib.sha256(repr((photograph.sha256, photograph.bundle, plain)).encode()).hexdigest()


def tell(response: Response, digest: str) -> None:
    """Say where an answer can be asked for again."""
    response.headers["Content-Location"] = PATH + digest
    response.headers["ETag"] = etag(digest)
    response.headers["Cache-Control"] = "private, no-cache"  # to be kept by its caller, and asked about


def etag(digest: str) -> str:
    """The tag of an answer; a weak one, since each answer has its own request's id and timings."""
    return f'W/"{digest}"'


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
