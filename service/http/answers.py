"""Answers: a photograph's segments in each of the forms that a caller may choose."""

import base64
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from model.bundle import MergingSpec
from service.http.hugging_face import HuggingFaceMask, hugging_face_masks
from service.http.negotiation import MEDIA_TYPES, Format
from service.http.options import OUTPUTS, Output
from service.pipeline.coco import mask_document, panoptic_document
from service.pipeline.encode import describe, panoptic_png, rle_masks, to_json
from service.pipeline.overlay import draw_overlay, encode_overlay
from service.pipeline.panoptic import Panoptic
from service.pipeline.predictor import Predictor, Prepared
from service.pipeline.runs import Ran, Timings
from service.pipeline.selection import Selection, select

_NEEDS: dict[Format, tuple[Output, ...]] = {
    "png": ("panoptic_png",),
    "overlay": ("overlay_webp",),
    "coco": ("panoptic_png",),
    "rle": ("segmentation",),
    "huggingface": (),
}
"""What has to be encoded for the forms whose content no option chooses."""


@dataclass(frozen=True)
class Asked:
    """What a caller wants of a photograph."""

    format: Format
    merging: MergingSpec
    min_score: float
    request_id: str
    begun: float  # `time.perf_counter` at the request's headers
    selection: Selection = field(default_factory=Selection)
    outputs: frozenset[Output] = frozenset(OUTPUTS)
    palette: bool = False  # PNGs of 8 bits a pixel

    @property
    def needs(self) -> frozenset[Output]:
        """What has to be encoded."""
        return frozenset(_NEEDS.get(self.format, self.outputs))

    @property
    def shows_photograph(self) -> bool:
        """Whether the photograph itself is in the answer."""
        return "overlay_webp" in self.needs


@dataclass(frozen=True)
class _Encoded:
    """What an answer is put together from; empty where its form needs none."""

    png: bytes = b""
    overlay: bytes = b""
    rle: list[dict[str, Any]] = field(default_factory=list)
    masks: list[HuggingFaceMask] = field(default_factory=list)


@dataclass(frozen=True)
class Made:
    """An answer, and what is told of it elsewhere."""

    response: Response
    timings_ms: Timings  # of all stages
    merged: float  # `time.perf_counter` when merging began
    segments: int  # that the model found


def make_answer(predictor: Predictor, prepared: Prepared, ran: Ran, asked: Asked) -> Made:
    """Merge, encode and write the answer: the work of a pool thread."""
    merged = time.perf_counter()
    panoptic, timings = predictor.finish(prepared, ran, asked.merging, min_score=asked.min_score)
    found = len(panoptic.segments)
    begun = time.perf_counter()
    panoptic = select(panoptic, asked.selection, asked.merging.label_divisor)
    encoded = _encode(predictor, prepared, panoptic, asked)
    ended = time.perf_counter()
    timings |= {"encode": (ended - begun) * 1000, "total": (ended - asked.begun) * 1000}
    content, media_type = _write(predictor, prepared, panoptic, encoded, asked, timings)
    headers = {
        "Vary": "Accept",
        "Server-Timing": ", ".join(f"{stage};dur={duration:.2f}" for stage, duration in timings.items()),
    }
    return Made(Response(content, headers=headers, media_type=media_type), timings, merged, found)


def write_parts(parts: Iterable[tuple[str, bytes]]) -> tuple[bytes, str]:
    """A multipart body of parts, each a media type and its content, and the media type of the whole."""
    boundary = secrets.token_hex(16)
    written = [
        f"--{boundary}\r\nContent-Type: {media_type}\r\n\r\n".encode() + content + b"\r\n"
        for media_type, content in parts
    ]
    body = b"".join(written) + f"--{boundary}--\r\n".encode()
    return body, f"{MEDIA_TYPES['multipart']}; boundary={boundary}"


def _encode(predictor: Predictor, prepared: Prepared, panoptic: Panoptic, asked: Asked) -> _Encoded:
    segments, needs = panoptic.segments, asked.needs
    overlay = b""
    if asked.shows_photograph:
        assert prepared.shown is not None  # `prepare` was told to keep it
        drawn = draw_overlay(prepared.shown, panoptic.ids, segments, predictor.manifest.categories)
        overlay = encode_overlay(drawn)
    return _Encoded(
        png=panoptic_png(panoptic, request_id=asked.request_id, palette=asked.palette)
        if "panoptic_png" in needs
        else b"",
        overlay=overlay,
        rle=rle_masks(panoptic.ids, segments) if "segmentation" in needs else [],
        masks=hugging_face_masks(panoptic.ids, segments) if asked.format == "huggingface" else [],
    )


def _write(
    predictor: Predictor,
    prepared: Prepared,
    panoptic: Panoptic,
    encoded: _Encoded,
    asked: Asked,
    timings: Timings,
) -> tuple[bytes, str]:
    """The body and its media type."""
    media_type = MEDIA_TYPES[asked.format]
    bundle, segments, size = predictor.bundle, panoptic.segments, prepared.sizes.output
    match asked.format:
        case "png" | "overlay":
            return encoded.png or encoded.overlay, media_type
        case "huggingface":
            return to_json(encoded.masks), media_type
        case "coco":
            png = _text(encoded.png)
            told = panoptic_document(segments, bundle, size, request_id=asked.request_id, png_base64=png)
        case "rle":
            told = mask_document(segments, encoded.rle, bundle, size, request_id=asked.request_id)
        case _:
            told = describe(
                segments,
                request_id=asked.request_id,
                bundle=bundle,
                size=size,
                orientation=prepared.orientation,
                timings_ms=timings,
            )
            return _with_members(told, encoded, asked)
    return to_json(told), media_type


def _with_members(told: dict[str, Any], encoded: _Encoded, asked: Asked) -> tuple[bytes, str]:
    """The object with the members that are wanted, pictures as base64 or as parts of their own."""
    if "segmentation" in asked.needs:
        for segment, mask in zip(told["segments_info"], encoded.rle, strict=True):
            segment["segmentation"] = mask
    elif "segments_info" not in asked.needs:
        del told["segments_info"]
    if asked.format == "multipart":
        pictures = [("image/png", encoded.png), ("image/webp", encoded.overlay)]
        return write_parts(
            [("application/json", to_json(told)), *((kind, data) for kind, data in pictures if data)]
        )
    texts = {"panoptic_png": encoded.png, "overlay_webp": encoded.overlay}
    return to_json(told | {name: _text(data) for name, data in texts.items() if data}), MEDIA_TYPES["json"]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
