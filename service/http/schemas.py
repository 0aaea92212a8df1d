"""Schemas: the answers as OpenAPI tells them; the answers themselves are written without."""

from typing import Any

from pydantic import BaseModel, Field

from service.http.bodies import PART
from service.http.negotiation import MEDIA_TYPES
from service.http.problems import MEDIA_TYPE as PROBLEM


class SegmentAnswer(BaseModel):
    """One object, or one class of stuff; lengths are pixels of the photograph."""

    id: int = Field(description="Its number in the panoptic PNG: R + 256 G + 65536 B.")
    category_id: int = Field(description="The data set's own number of the class.")
    class_index: int = Field(description="The class's place in `/v1/model`'s categories.")
    label: str
    isthing: bool
    score: float = Field(ge=0, le=1)
    area: int = Field(description="Its pixels in the PNG.")
    bbox: tuple[int, int, int, int] = Field(description="x, y, width, height; tight.")
    center: tuple[float, float] = Field(description="x, y: of a thing its center, of stuff its mean place.")
    iscrowd: int = 0


class ModelName(BaseModel):
    """Which model answered."""

    name: str
    version: str
    digest: str = Field(description="sha256 of its manifest, which names every byte of it.")


class ImageAnswer(BaseModel):
    """The photograph, upright."""

    width: int
    height: int
    orientation_applied: bool = Field(description="Whether its EXIF orientation turned it.")
    exif_orientation: int = Field(ge=1, le=8)


class PanopticAnswer(BaseModel):
    """The answer to one photograph."""

    id: str = Field(description="The request's id.")
    model: ModelName
    image: ImageAnswer
    segments_info: list[SegmentAnswer]
    panoptic_png: str = Field(description="The COCO panoptic PNG in base64.")
    timings_ms: dict[str, float]


class ProblemAnswer(BaseModel):
    """Any error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str]] | None = None
    limit: float | None = None
    retry_after_s: int | None = None


_PICTURE: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}

REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": _PICTURE,
            "application/octet-stream": _PICTURE,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [PART],
                    "properties": {PART: {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": PanopticAnswer,
        "description": "The answer, in the form that Accept or ?format= asks for.",
        "content": {media: _PICTURE for name, media in MEDIA_TYPES.items() if name != "json"},
    },
    **{
        status: {
            "description": description,
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}},
        }
        for status, description in {
            400: "The body is no image, or a broken one.",
            406: "No form of answer fits.",
            413: "Too many bytes or pixels.",
            415: "The content type is not taken.",
            422: "A wrong option, form or kind of image.",
            429: "The queue is full.",
            503: "The model is not ready.",
        }.items()
    },
}
