"""Tensors of the Open Inference Protocol: photographs out of a request, answers into a response.

An element of a BYTES tensor stands in JSON as base64, since JSON holds no bytes. With the binary-data extension it
stands behind the JSON: its length in 4 bytes, lowest first, then the bytes themselves.

Source: the protocol's HTTP/REST form, version 2, and its extension binary_tensor_data.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.http.json_body import from_base64, parse_object, validated
from service.http.options import WHOLE, PanopticOptions, read_params
from service.http.problems import Problem
from service.http.sent import check_count

INPUT = "image"
HEADER = "Inference-Header-Content-Length"

_LENGTH = struct.Struct("<I")
_BINARY = "binary_data"
_BINARY_SIZE = "binary_data_size"
_ALL_BINARY = "binary_data_output"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputTensor(_Strict):
    """The photographs."""

    name: Literal["image"]
    datatype: Literal["BYTES"]
    shape: list[Annotated[int, WHOLE]] = Field(min_length=1, max_length=2, description="[N] or [N, 1].")
    parameters: dict[str, Any] = Field(default_factory=dict, description="binary_data_size.")
    data: list[Any] | None = Field(None, description="Each photograph in base64.")


class OutputRequest(_Strict):
    """An output that is wanted."""

    name: Literal["panoptic_png", "answer"]
    parameters: dict[str, Any] = Field(default_factory=dict, description="binary_data: true or false.")


class InferRequest(_Strict):
    """A request of the protocol."""

    id: str | None = Field(None, max_length=128)
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Options as `/v1/panoptic` has them, and binary_data_output."
    )
    inputs: list[InputTensor] = Field(min_length=1, max_length=1)
    outputs: list[OutputRequest] | None = Field(None, min_length=1, max_length=2)


class OutputTensor(BaseModel):
    """One element for each photograph."""

    name: Literal["panoptic_png", "answer"]
    datatype: Literal["BYTES"]
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: list[str] | None = Field(None, description="PNGs in base64; answers as JSON text.")


class InferAnswer(BaseModel):
    """A response of the protocol."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


@dataclass(frozen=True)
class Inference:
    """A request that was read."""

    id: str | None
    images: tuple[bytes | Problem, ...]
    params: PanopticOptions
    wanted: tuple[tuple[str, bool], ...]  # names of outputs, and whether each is to be binary


def read_inference(body: bytes, header: str | None, max_images: int) -> Inference:
    """Read a request; it takes as long as its base64 is long.

    Args:
        header: of HEADER, how many bytes of the body are JSON; None is all.

    Raises: Problem: body-incomplete, invalid-form, invalid-option or too-many-images.
    """
    length = _json_length(header, len(body))
    request = validated(InferRequest, parse_object(body[:length]))
    tensor = request.inputs[0]
    elements = _elements(tensor, body[length:])
    if math.prod(tensor.shape) != len(elements) or min(tensor.shape) < 1 or tensor.shape[1:] not in ([], [1]):
        raise Problem(
            "invalid-form",
            f"The tensor `{INPUT}` has shape {tensor.shape} and {len(elements)} elements. "
            "Send shape [N], N at least 1, and as many photographs.",
        )
    check_count(len(elements), max_images)
    return Inference(
        id=request.id,
        images=tuple(elements),
        params=_params(request),
        wanted=_wanted(request),
    )


def write_tensors(
    columns: Sequence[tuple[str, bool, Sequence[bytes], Sequence[str]]],
) -> tuple[list[OutputTensor], bytes]:
    """The outputs and the bytes that stand behind their JSON.

    Args:
        columns: of each output its name, whether it is to be binary, and its elements as bytes and as text.
    """
    tensors, behind = [], b""
    for name, binary, elements, texts in columns:
        tensor = OutputTensor(name=name, datatype="BYTES", shape=[len(texts)])
        if binary:
            packed = b"".join(_LENGTH.pack(len(element)) + element for element in elements)
            behind += packed
            tensors.append(tensor.model_copy(update={"parameters": {_BINARY_SIZE: len(packed)}}))
        else:
            tensors.append(tensor.model_copy(update={"data": list(texts)}))
    return tensors, behind


def _json_length(header: str | None, size: int) -> int:
    if header is None:
        return size
    if not header.strip().isdecimal() or len(header) > 12 or int(header) > size:
        raise Problem(
            "invalid-form",
            f"{HEADER} is {header[:40]!r}; it must be how many of the body's {size} bytes are JSON.",
        )
    return int(header)


def _elements(tensor: InputTensor, behind: bytes) -> list[bytes | Problem]:
    """The photographs, from behind the JSON or from within it."""
    size = tensor.parameters.get(_BINARY_SIZE)
    if size is not None:
        if tensor.data is not None or size != len(behind):
            raise Problem(
                "invalid-form",
                f"{_BINARY_SIZE} is {size!r} and behind the JSON stand {len(behind)} bytes. Send as many, and no data.",
            )
        return list(_unpacked(behind))
    if tensor.data is None or behind:
        raise Problem(
            "invalid-form",
            f"The tensor `{INPUT}` has no data. Send each photograph in base64 as an element of data, "
            f"or state {_BINARY_SIZE} and {HEADER}.",
        )
    found = [text for row in tensor.data for text in (row if isinstance(row, list) else [row])]
    if not all(isinstance(text, str) for text in found):
        raise Problem("invalid-form", "data holds something else than text. Send each photograph in base64.")
    return [from_base64(text, f"data[{index}]") for index, text in enumerate(found)]


def _unpacked(data: bytes) -> Iterator[bytes]:
    """The elements of a binary tensor.

    Raises: Problem: body-incomplete.
    """
    place = 0
    while place < len(data):
        begin = place + _LENGTH.size
        end = begin + (_LENGTH.unpack_from(data, place)[0] if begin <= len(data) else 0)
        if end > len(data) or begin > len(data):
            raise Problem("body-incomplete", f"The binary tensor breaks off at byte {place} of {len(data)}.")
        yield data[begin:end]
        place = end


def _params(request: InferRequest) -> PanopticOptions:
    """The options; the answer's form is the protocol's."""
    given = {name: value for name, value in request.parameters.items() if name != _ALL_BINARY}
    options = read_params(given, "parameters")
    for name in ("format", "outputs"):
        if name in options.model_fields_set:
            raise Problem("invalid-option", f"{name} has no meaning here: the protocol's outputs choose.")
    return options


def _wanted(request: InferRequest) -> tuple[tuple[str, bool], ...]:
    default = request.parameters.get(_ALL_BINARY) is True
    if request.outputs is None:
        return (("panoptic_png", default), ("answer", default))
    return tuple((each.name, each.parameters.get(_BINARY, default) is True) for each in request.outputs)
