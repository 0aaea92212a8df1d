"""Bodies: the photograph's bytes out of a request, raw or as a part of a form."""

from collections.abc import AsyncIterator

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.http.admission import body_too_large
from service.http.problems import Problem

PART = "image"

_RAW_TYPES = {
    "",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
}  # the last is curl's default
_FORM_TYPE = "multipart/form-data"
_MAX_PARTS = 16


class _MemoryParser(MultiPartParser):
    """Keeps every part in memory; the body's limit bounds it, and a file on disk costs tens of times as much."""

    spool_max_size = 1 << 40


async def read_image(request: Request, max_body_mb: float) -> bytes:
    """Read the photograph's bytes.

    Raises: Problem: body-too-large, unsupported-media-type, body-incomplete or invalid-form.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    chunks = _limited(request, max_body_mb)
    if kind == _FORM_TYPE:
        return await _read_form(request, chunks)
    if kind in _RAW_TYPES or kind.startswith("image/"):
        return b"".join([chunk async for chunk in chunks])
    raise Problem(
        "unsupported-media-type",
        f"The content type is {kind!r}. Send the photograph itself with an image type or none, "
        f"or {_FORM_TYPE} with a part `{PART}`.",
        headers={"Accept-Post": f"image/*, application/octet-stream, {_FORM_TYPE}"},
    )


async def _limited(request: Request, max_body_mb: float) -> AsyncIterator[bytes]:
    """The body's chunks, up to the limit; a length that was not declared is found here."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_body_mb * 1e6:
            raise body_too_large(f"more than {size / 1e6:.1f} MB", max_body_mb)
        yield chunk


async def _read_form(request: Request, chunks: AsyncIterator[bytes]) -> bytes:
    try:
        parser = _MemoryParser(
            request.headers,
            chunks,  # type: ignore[arg-type]  # it only iterates
            max_files=_MAX_PARTS,
            max_fields=_MAX_PARTS,
        )
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise Problem(
            "body-incomplete", f"The form cannot be read: {str(error).rstrip('.')}. Send it again."
        ) from error
    try:
        parts = form.getlist(PART)
        if len(parts) != 1 or not isinstance(parts[0], UploadFile):
            names = ", ".join(sorted({name for name, _ in form.multi_items()})) or "none"
            raise Problem(
                "invalid-form",
                f"The form has {len(parts)} parts `{PART}` (its parts: {names}). "
                f"Send exactly one file of that name, as `curl -F {PART}=@photo.jpg` does.",
            )
        return await parts[0].read()
    finally:
        await form.close()
