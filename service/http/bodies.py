"""Bodies: photographs and options out of a request, raw, as a form or as JSON."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from service.http.admission import body_too_large
from service.http.form_data import FORM_TYPE, read_form
from service.http.json_body import read_json
from service.http.parts import Parts
from service.http.problems import Problem
from service.http.sent import PART, Sent

JSON_TYPE = "application/json"
RAW_TYPES = {
    "",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
}
"""Types of a raw photograph beside `image/*`; the last is curl's default."""


async def read_sent(request: Request, parts: Parts, names: tuple[str, ...] = (PART,)) -> Sent:
    """Read the body.

    Args:
        names: what a form's part with a photograph may be called.

    Raises: Problem: body-too-large, unsupported-media-type, body-incomplete, invalid-form, invalid-option or
        too-many-images.
    """
    _check_encoding(request)
    settings = parts.settings
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    chunks = _limited(request, settings.max_body_mb)
    if kind == FORM_TYPE:
        return await read_form(request, chunks, names, settings.max_images)
    if kind == JSON_TYPE:
        body = await _whole(chunks)
        # Base64 of some megabytes would hold up everybody else on the event loop.
        return await asyncio.get_running_loop().run_in_executor(
            parts.pool, read_json, body, settings.max_images
        )
    if kind in RAW_TYPES or kind.startswith("image/"):
        return Sent((await _whole(chunks),))
    raise Problem(
        "unsupported-media-type",
        f"The content type is {kind!r}. Send the photograph itself with an image type or none, "
        f"{FORM_TYPE} with a part `{PART}`, or {JSON_TYPE} with a member `{PART}`.",
        headers={"Accept-Post": f"image/*, application/octet-stream, {FORM_TYPE}, {JSON_TYPE}"},
    )


async def read_whole(request: Request, max_body_mb: float) -> bytes:
    """Read a body whose form is known otherwise than by its type.

    Raises: Problem: body-too-large or unsupported-media-type.
    """
    _check_encoding(request)
    return await _whole(_limited(request, max_body_mb))


async def _limited(request: Request, max_body_mb: float) -> AsyncIterator[bytes]:
    """The body's chunks, up to the limit; a length that was not declared is found here.

    Raises: Problem: body-too-large.
    """
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_body_mb * 1e6:
            raise body_too_large(f"more than {size / 1e6:.1f} MB", max_body_mb)
        yield chunk


async def _whole(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def _check_encoding(request: Request) -> None:
    """Refuse a packed body: what it unpacks to has no bound."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Problem(
            "unsupported-media-type",
            f"The content encoding is {encoding!r}. Send the body as it is: pictures are packed already.",
            headers={"Accept-Encoding": "identity"},
        )
