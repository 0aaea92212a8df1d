"""Problems: every error of the service as RFC 9457 problem+json, each of a type whose page exists."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.pipeline.encode import to_json
from service.pipeline.image_errors import (
    ImageDamaged,
    ImageError,
    ImageTooLarge,
    ImageUnsupported,
    NotAnImage,
)

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class ProblemType:
    """One kind of error; `advice` is the text of its page."""

    status: int
    title: str
    advice: str


PROBLEM_TYPES = {
    "not-an-image": ProblemType(
        400,
        "The body is no image",
        "The body is empty or of no format that is taken. Formats are recognised by their content, never by name or "
        "label: JPEG, PNG, WebP, GIF, BMP and TIFF.",
    ),
    "image-damaged": ProblemType(
        400,
        "The image is truncated or corrupt",
        "The format was recognised, but the picture cannot be decoded to its end. Most often an upload broke off.",
    ),
    "body-incomplete": ProblemType(
        400,
        "The body is incomplete",
        "A multipart or JSON body could not be parsed. Compare a form's boundary with its header, and the body's "
        "length with what was meant to be sent.",
    ),
    "malformed-request": ProblemType(
        400,
        "This is no HTTP request",
        "What came could not be read as HTTP/1.1. Perhaps it was TLS: the service speaks none, a proxy before it does.",
    ),
    "key-required": ProblemType(
        401,
        "A known key is needed",
        "The server answers only those who have a key: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`. Who "
        "runs the server gives them out.",
    ),
    "key-forbids": ProblemType(
        403,
        "The key does not allow this",
        "The key may only send photographs of priority batch. Leave X-Priority out, or ask for another key.",
    ),
    "not-found": ProblemType(404, "There is no such page", "The start page lists the routes there are."),
    "method-not-allowed": ProblemType(
        405, "The method is not allowed here", "The header Allow lists the methods that are."
    ),
    "not-acceptable": ProblemType(
        406,
        "No form of answer fits",
        "The header Accept, or the option format, asks for a form of answer that the service does not have.",
    ),
    "too-slow": ProblemType(
        408,
        "The request came too slowly",
        "Headers or body were not whole within their time (PANOPTIC_HEAD_TIMEOUT_S, PANOPTIC_BODY_TIMEOUT_S), and the "
        "connection was closed. Send a smaller photograph, or over a faster line.",
    ),
    "body-too-large": ProblemType(
        413,
        "The body is too large",
        "The body has more bytes than the server takes (PANOPTIC_MAX_BODY_MB). Send a smaller or more strongly "
        "compressed photograph; the network reads it at the size of its bucket anyway.",
    ),
    "image-too-large": ProblemType(
        413,
        "The image is too large",
        "The image has more pixels than the server takes (PANOPTIC_MAX_MEGAPIXELS). This is read from the image's "
        "header, before anything is decoded. Send it smaller.",
    ),
    "too-many-images": ProblemType(
        413,
        "There are too many images",
        "The request has more photographs than the server takes in one (PANOPTIC_MAX_IMAGES). Send them in several.",
    ),
    "unsupported-media-type": ProblemType(
        415,
        "The content type is not taken",
        "Send the photograph as the raw body with any image type, application/octet-stream or no type at all, as the "
        "part `image` of multipart/form-data, or in base64 in application/json; and no body that is packed, as "
        "Content-Encoding would tell.",
    ),
    "image-unsupported": ProblemType(
        422,
        "This kind of image is not supported",
        "The file is sound, but has no plain RGB picture, as a TIFF of floating point heights has none.",
    ),
    "invalid-option": ProblemType(
        422,
        "An option is wrong",
        "A query parameter, or a member of the body's `params`, is unknown or out of bounds; `errors` lists each.",
    ),
    "invalid-form": ProblemType(
        422,
        "The form is wrong",
        "A multipart form has parts `image`, each with a photograph, and at most one part `params` with a JSON object. "
        "A JSON body has exactly one of `image`, `images` and `inputs`.",
    ),
    "queue-full": ProblemType(
        429,
        "The queue is full",
        "As many photographs (PANOPTIC_MAX_QUEUE), bytes of bodies (PANOPTIC_MAX_QUEUE_MB) or pixels "
        "(PANOPTIC_MAX_QUEUE_MEGAPIXELS) as allowed wait for their answer. Come again after the seconds that "
        "Retry-After tells, which are computed from what waits.",
    ),
    "key-busy": ProblemType(
        429,
        "The key has as many photographs under way as it may",
        "The key's line says how many of its photographs are accepted at once. Wait for an answer before the next.",
    ),
    "deadline-too-near": ProblemType(
        429,
        "The answer would come too late",
        "What is accepted already takes longer than the caller's time, so that nothing was begun. Give it longer "
        "(X-Request-Timeout-Ms), or come again after the seconds that Retry-After tells.",
    ),
    "headers-too-large": ProblemType(
        431,
        "The headers are too many or too large",
        "Address and headers together have more bytes, or are more, than any request here needs.",
    ),
    "internal-error": ProblemType(
        500,
        "The service failed",
        "A fault of ours. The log has it under the request's id, which `instance` tells.",
    ),
    "engine-failed": ProblemType(
        500,
        "The engine failed on this photograph",
        "The engine raised an error for this photograph alone, or returned values that are no numbers. Photographs "
        "that ran together with it were answered. Send it once more; the log has the error under the request's id.",
    ),
    "not-ready": ProblemType(
        503,
        "The model is not ready",
        "The server is starting and proves itself on the bundle's golden pictures first, or it is stopping.",
    ),
    "engine-lost": ProblemType(
        503,
        "The engine is lost",
        "The engine hangs, or fails whatever it is given. The process ends by itself with exit code 3, so that whoever "
        "supervises it starts a new one.",
    ),
    "deadline-passed": ProblemType(
        504,
        "The deadline passed",
        "The answer was not ready within the caller's time (X-Request-Timeout-Ms, or a proxy's "
        "X-Envoy-Expected-Rq-Timeout-Ms) or the server's (PANOPTIC_TIMEOUT_S). Work that is late is dropped before it "
        "reaches the engine.",
    ),
}
"""All types by the last part of their URL."""

_OF_IMAGE_ERRORS: dict[type[ImageError], str] = {
    NotAnImage: "not-an-image",
    ImageDamaged: "image-damaged",
    ImageUnsupported: "image-unsupported",
    ImageTooLarge: "image-too-large",
}


class Problem(Exception):
    """An error to be answered; `detail` says what was found, what is allowed and what to do."""

    def __init__(
        self,
        name: str,
        detail: str,
        *,
        retry_after_s: int | None = None,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ):
        """Make a problem of one of PROBLEM_TYPES; `fields` stand beside the standard ones."""
        super().__init__(detail)
        self.name = name
        self.kind = PROBLEM_TYPES[name]
        self.detail = detail
        self.headers = dict(headers or {})
        self.fields = fields
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(retry_after_s)
            self.fields["retry_after_s"] = retry_after_s

    def to_response(self, request_id: str) -> Response:
        """Answer it."""
        content = {
            "type": f"/problems/{self.name}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": request_id,
            **self.fields,
        }
        return _ProblemResponse(self.name, to_json(content), self.kind.status, self.headers, MEDIA_TYPE)


class _ProblemResponse(Response):
    """A response that leaves its problem's name with the request, for log and trace."""

    def __init__(self, name: str, *given: Any):
        super().__init__(*given)
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        scope.setdefault("state", {})["problem"] = self._name
        await super().__call__(scope, receive, send)


def problem_of_image(error: ImageError, max_megapixels: float) -> Problem:
    """The problem that a photograph's error is."""
    name = _OF_IMAGE_ERRORS[type(error)]
    if isinstance(error, ImageTooLarge):
        return Problem(name, str(error), limit=max_megapixels)
    return Problem(name, str(error))
