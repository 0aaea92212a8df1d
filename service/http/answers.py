"""Answers: a photograph's segments in each of the forms that a caller may choose."""

import base64
import secrets
import time
from dataclasses import dataclass

from starlette.responses import Response

from model.bundle import MergingSpec
from service.http.negotiation import MEDIA_TYPES, Format
from service.pipeline.encode import describe, panoptic_png, to_json
from service.pipeline.overlay import draw_overlay, encode_overlay
from service.pipeline.panoptic import Panoptic
from service.pipeline.predictor import Predictor, Prepared, Ran, Timings


@dataclass(frozen=True)
class Asked:
    """What a caller wants of a photograph."""

    format: Format
    merging: MergingSpec
    min_score: float
    request_id: str
    begun: float  # `time.perf_counter` at the request's headers


def make_answer(predictor: Predictor, prepared: Prepared, ran: Ran, asked: Asked) -> tuple[Response, Timings]:
    """Merge, encode and write the answer: the work of a pool thread."""
    panoptic, timings = predictor.finish(prepared, ran, asked.merging, min_score=asked.min_score)
    begun = time.perf_counter()
    if asked.format == "overlay":
        assert prepared.shown is not None  # `prepare` was told to keep it
        drawn = draw_overlay(prepared.shown, panoptic.ids, panoptic.segments, predictor.manifest.categories)
        picture = encode_overlay(drawn)
    else:
        picture = panoptic_png(panoptic, request_id=asked.request_id)
    ended = time.perf_counter()
    timings |= {"encode": (ended - begun) * 1000, "total": (ended - asked.begun) * 1000}
    content, media_type = _write(predictor, prepared, panoptic, picture, asked, timings)
    headers = {
        "Vary": "Accept",
        "Server-Timing": ", ".join(f"{stage};dur={duration:.2f}" for stage, duration in timings.items()),
    }
    return Response(content, headers=headers, media_type=media_type), timings


def _write(
    predictor: Predictor,
    prepared: Prepared,
    panoptic: Panoptic,
    picture: bytes,
    asked: Asked,
    timings: Timings,
) -> tuple[bytes, str]:
    """The body and its media type."""
    media_type = MEDIA_TYPES[asked.format]
    if asked.format in ("png", "overlay"):
        return picture, media_type
    document = describe(
        panoptic.segments,
        request_id=asked.request_id,
        bundle=predictor.bundle,
        size=prepared.sizes.output,
        orientation=prepared.orientation,
        timings_ms=timings,
    )
    if asked.format == "json":
        return to_json(document | {"panoptic_png": base64.b64encode(picture).decode()}), media_type
    boundary = secrets.token_hex(16)
    content = _parts(boundary, (("application/json", to_json(document)), ("image/png", picture)))
    return content, f"{media_type}; boundary={boundary}"


def _parts(boundary: str, parts: tuple[tuple[str, bytes], ...]) -> bytes:
    """A multipart body."""
    written = [
        f"--{boundary}\r\nContent-Type: {media_type}\r\n\r\n".encode() + content + b"\r\n"
        for media_type, content in parts
    ]
    return b"".join(written) + f"--{boundary}--\r\n".encode()
