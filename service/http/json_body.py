"""JSON bodies: photographs in base64, in a form of our own or in Hugging Face's."""

import base64
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.http.options import PanopticOptions, problem_of_params
from service.http.problems import Problem
from service.http.sent import Sent, check_count, unknown_member

Base64 = Annotated[
    str,
    Field(description="A photograph's bytes in base64.", json_schema_extra={"contentEncoding": "base64"}),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Picture(_Strict):
    """A photograph in JSON."""

    b64: Base64


class OneImage(_Strict):
    """A body with one photograph."""

    image: Picture
    params: PanopticOptions | None = None


class ManyImages(_Strict):
    """A body with several; each gets its own answer or its own problem."""

    images: list[Picture] = Field(min_length=1)
    params: PanopticOptions | None = None


class HuggingFaceParameters(PanopticOptions):
    """Options of a body in Hugging Face's form: ours, and their name of one."""

    threshold: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="Another name of min_score."
    )

    def ours(self) -> PanopticOptions:
        """The same without the other name.

        Raises: Problem: invalid-option, where both names stand.
        """
        given = self.model_dump(include=self.model_fields_set - {"threshold"})
        if self.threshold is None:
            return PanopticOptions.model_validate(given)
        if "min_score" in given:
            raise Problem("invalid-option", "threshold is another name of min_score. Give one of them.")
        return PanopticOptions.model_validate(given | {"min_score": self.threshold})


class HuggingFaceImages(_Strict):
    """A body as Hugging Face's clients send it."""

    inputs: Base64 | list[Base64]
    parameters: HuggingFaceParameters | None = None


Body = OneImage | ManyImages | HuggingFaceImages

_BODIES: dict[str, type[Body]] = {"image": OneImage, "images": ManyImages, "inputs": HuggingFaceImages}
_AnyBody = TypeVar("_AnyBody", bound=BaseModel)


def read_json(body: bytes, max_images: int) -> Sent:
    """Parse and decode a body; it takes as long as its base64 is long.

    Raises: Problem: body-incomplete, invalid-form, invalid-option or too-many-images.
    """
    given = parse_object(body)
    keys = [name for name in _BODIES if name in given]
    if len(keys) != 1:
        raise Problem(
            "invalid-form",
            f"The JSON has {', '.join(map(repr, given)) or 'nothing'}. Send exactly one of "
            f'{", ".join(_BODIES)}: {{"image": {{"b64": …}}}} is a photograph in base64.',
        )
    found = validated(_BODIES[keys[0]], given)
    if isinstance(found, OneImage):
        return Sent((from_base64(found.image.b64, "image.b64"),), found.params)
    if isinstance(found, ManyImages):
        check_count(len(found.images), max_images)
        texts = [picture.b64 for picture in found.images]
        return Sent(_decoded(texts, "images[{}].b64"), found.params, many=True)
    return _hugging_face(found, max_images)


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises: Problem: body-incomplete or invalid-form.
    """
    try:
        given = orjson.loads(body)
    except ValueError as error:
        raise Problem(
            "body-incomplete", f"The body, {len(body)} bytes, is no JSON: {error}. Send it again."
        ) from error
    if not isinstance(given, dict):
        raise Problem("invalid-form", "The body's JSON is no object. Send one with a member `image`.")
    return given


def validated(model: type[_AnyBody], given: Mapping[str, Any]) -> _AnyBody:
    """Check the members of a body strictly.

    Raises: Problem: invalid-form, or invalid-option where the mistake lies in the options.
    """
    try:
        return model.model_validate(given, strict=True)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        in_params = [each for each in mistakes if each["loc"][0] in ("params", "parameters")]
        if in_params:
            options = HuggingFaceParameters if model is HuggingFaceImages else PanopticOptions
            raise problem_of_params(in_params, options.model_fields) from None
        first = mistakes[0]
        place = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            raise unknown_member(place, tuple(model.model_fields), "The JSON") from None
        raise Problem("invalid-form", f"The JSON's {place}: {first['msg']}.") from None


def from_base64(text: str, place: str) -> bytes | Problem:
    """The bytes, or the problem that there are none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        hint = " Leave the prefix of the data URL out." if text.startswith("data:") else ""
        return Problem("not-an-image", f"{place} is no base64: {error}.{hint} Encode the photograph's bytes.")


def _decoded(texts: list[str], place: str) -> tuple[bytes | Problem, ...]:
    return tuple(from_base64(text, place.format(index)) for index, text in enumerate(texts))


def _hugging_face(found: HuggingFaceImages, max_images: int) -> Sent:
    params = found.parameters.ours() if found.parameters is not None else None
    if isinstance(found.inputs, str):
        return Sent((from_base64(found.inputs, "inputs"),), params, hugging_face=True)
    check_count(len(found.inputs), max_images)
    images = _decoded(found.inputs, "inputs[{}]")
    return Sent(images, params, many=True, hugging_face=True)
