"""Form data: photographs and options out of the parts of `multipart/form-data`."""

from collections.abc import AsyncIterator

import orjson
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.http.options import PanopticOptions, read_params
from service.http.problems import Problem
from service.http.sent import PARAMS, Sent, check_count, unknown_member

FORM_TYPE = "multipart/form-data"

_MAX_FIELDS = 4  # one is meant; more give a message that names them
_MAX_FIELD_BYTES = 1 << 16


class _MemoryParser(MultiPartParser):
    """Keeps every part in memory; the body's limit bounds it, and a file on disk costs tens of times as much."""

    spool_max_size = 1 << 40


async def read_form(
    request: Request, chunks: AsyncIterator[bytes], names: tuple[str, ...], max_images: int
) -> Sent:
    """Read the parts.

    Args:
        names: what a part with a photograph may be called; the first is the one that messages name.

    Raises: Problem: body-incomplete, invalid-form, invalid-option or too-many-images.
    """
    form = await _parse(request, chunks, max_images)
    try:
        _check_names(form, names)
        files = [part for name in names for part in form.getlist(name)]
        check_count(len(files), max_images)
        params = _params(form)
        return Sent(tuple([await _bytes(part, names[0]) for part in files]), params, many=len(files) > 1)
    finally:
        await form.close()


async def _parse(request: Request, chunks: AsyncIterator[bytes], max_images: int) -> FormData:
    try:
        parser = _MemoryParser(
            request.headers,
            chunks,  # type: ignore[arg-type]  # it only iterates
            max_files=max_images + 1,
            max_fields=_MAX_FIELDS,
            max_part_size=_MAX_FIELD_BYTES,
        )
        return await parser.parse()
    except (MultiPartException, KeyError) as error:
        if str(error).startswith("Too many files"):
            check_count(max_images + 1, max_images)
        raise Problem(
            "body-incomplete", f"The form cannot be read: {str(error).rstrip('.')}. Send it again."
        ) from error


def _check_names(form: FormData, names: tuple[str, ...]) -> None:
    for name, _ in form.multi_items():
        if name not in (*names, PARAMS):
            raise unknown_member(name, (*names, PARAMS), "The form")
    if not any(form.getlist(name) for name in names):
        raise Problem(
            "invalid-form",
            f"The form has no part `{names[0]}`. Send a file of that name, as `curl -F {names[0]}=@photo.jpg` does.",
        )


def _params(form: FormData) -> PanopticOptions | None:
    found = form.getlist(PARAMS)
    if not found:
        return None
    if len(found) > 1:
        raise Problem("invalid-form", f"The form has {len(found)} parts `{PARAMS}`. Send one JSON object.")
    text = found[0] if isinstance(found[0], str) else found[0].file.read()
    try:
        given = orjson.loads(text)
    except ValueError as error:
        raise Problem("invalid-form", f"The part `{PARAMS}` is no JSON: {error}. Send an object.") from error
    return read_params(given, f"The part `{PARAMS}`")


async def _bytes(part: UploadFile | str, name: str) -> bytes:
    if isinstance(part, str):
        raise Problem(
            "invalid-form",
            f"The part `{name}` is text. Send it as a file, as `curl -F {name}=@photo.jpg` does.",
        )
    return await part.read()
