"""OpenAPI: each body, each form of answer and each problem, with its schema and an example."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.http import schemas
from service.http.examples import (
    ANSWER,
    BODY_MANY,
    BODY_ONE,
    COCO_MASKS,
    COCO_PANOPTIC,
    HUGGING_FACE,
    HUGGING_FACE_BODY,
    INFER_ANSWER,
    INFER_REQUEST,
    LINES,
    PARTS,
    PICTURE,
    REQUEST_ID,
    RESULTS,
)
from service.http.json_body import HuggingFaceImages, ManyImages, OneImage
from service.http.keys import is_open
from service.http.negotiation import MEDIA_TYPES
from service.http.options import PanopticOptions
from service.http.problems import MEDIA_TYPE as PROBLEM
from service.http.problems import PROBLEM_TYPES
from service.http.sent import PARAMS, PART
from service.http.tensors import HEADER, InferAnswer, InferRequest
from service.http.urgency import PRIORITY, TIMEOUTS

Responses = dict[int | str, dict[str, Any]]

_MODELS: tuple[type[BaseModel], ...] = (
    OneImage,
    ManyImages,
    HuggingFaceImages,
    PanopticOptions,
    InferRequest,
    InferAnswer,
    schemas.PanopticAnswer,
    schemas.ResultsAnswer,
    schemas.ResultAnswer,
    schemas.CocoPanoptic,
    schemas.CocoMasks,
    schemas.MaskAnswer,
    schemas.ErrorAnswer,
    schemas.ProblemAnswer,
)
"""What stands in bodies that no route's signature tells."""

_SHARED: dict[str, dict[str, Any]] = {}  # responses by name, for the document's components

_KEYS: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, where the server has `--keys`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same."},
}

_NOT_OF_PHOTOGRAPHS = ("not-found", "method-not-allowed")
_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
_FILE: dict[str, Any] = {"type": "string", "contentMediaType": "application/octet-stream"}  # of a form


def problems(*names: str) -> Responses:
    """The responses that problems are, an example of each."""
    responses: Responses = {}
    for name in names:
        kind = PROBLEM_TYPES[name]
        response = responses.setdefault(
            kind.status,
            {
                "description": "",
                "content": {PROBLEM: {"schema": _ref("ProblemAnswer"), "examples": {}}},
            },
        )
        response["description"] = "; ".join(
            filter(None, (response["description"], f"{kind.title} (`{name}`)"))
        )
        value = {
            "type": f"/problems/{name}",
            "title": kind.title,
            "status": kind.status,
            "detail": kind.advice,
            "instance": REQUEST_ID,
        }
        response["content"][PROBLEM]["examples"][name] = {"summary": kind.title, "value": value}
    return responses


def describe(app: FastAPI) -> None:
    """Add to the app's document what its routes' signatures do not tell."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        _, found = models_json_schema(
            [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
        )
        components = document["components"]
        components["schemas"] = dict(sorted({**found["$defs"], **components["schemas"]}.items()))
        components["responses"] = _SHARED
        components["securitySchemes"] = _KEYS
        _clean(document)
        _ask_for_keys(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _clean(document: dict[str, Any]) -> None:
    """Drop what the framework adds: its own word for wrong parameters, which are problems here, and empty contents."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    for responses in (each["responses"] for path in document["paths"].values() for each in path.values()):
        if "HTTPValidationError" in str(responses.get("422")):
            del responses["422"]
        for response in responses.values():
            if "$ref" in response:
                response.pop("content", None)


def _ask_for_keys(document: dict[str, Any]) -> None:
    """A key may be left out, since most servers ask for none; on open routes none ever does."""
    for path, operations in document["paths"].items():
        if not is_open(path):
            for operation in operations.values():
                operation["security"] = [{}, *({name: []} for name in _KEYS)]


def _shared(name: str, responses: Responses) -> Responses:
    """The same responses by reference, since several routes have them."""
    _SHARED.update({f"{name}{status}": response for status, response in responses.items()})
    return {
        status: {
            "$ref": f"#/components/responses/{name}{status}",
            "description": response["description"],
        }
        for status, response in responses.items()
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _one_of(*names: str) -> dict[str, Any]:
    return {"anyOf": [_ref(name) for name in names]}


def _media(schema: dict[str, Any], *examples: tuple[str, Any]) -> dict[str, Any]:
    told = {
        summary.lower().replace(" ", "-"): {"summary": summary, "value": value} for summary, value in examples
    }
    return {"schema": schema, "examples": told}


def _picture(summary: str) -> dict[str, Any]:
    """A binary body, which JSON cannot show."""
    return {"schema": _BINARY, "examples": {"picture": {"summary": summary}}}


def _form(names: Iterable[str]) -> dict[str, Any]:
    """Multipart form data, each of the names one or more files."""
    files = {"type": "array", "items": _FILE, "minItems": 1}
    return {
        "schema": {
            "type": "object",
            "required": [next(iter(names))],
            "properties": {**dict.fromkeys(names, files), PARAMS: _ref("PanopticOptions")},
            "additionalProperties": False,
        },
        "encoding": {PARAMS: {"contentType": "application/json"}},
        "examples": {"form": {"summary": f"curl -F {next(iter(names))}=@photo.jpg"}},
    }


def _request_body(*names: str) -> dict[str, Any]:
    return {
        "required": True,
        "content": {
            "image/*": _media(_BINARY, ("The photograph itself, here a GIF of one pixel", PICTURE)),
            "application/octet-stream": _media(_BINARY, ("The same", PICTURE)),
            "multipart/form-data": _form(names),
            "application/json": _media(
                _one_of("OneImage", "ManyImages", "HuggingFaceImages"),
                ("One", BODY_ONE),
                ("Several", BODY_MANY),
                ("Hugging Face", HUGGING_FACE_BODY),
            ),
        },
    }


def _header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


_HEADERS = [
    _header(PRIORITY, "Who goes first.", {"type": "string", "enum": ["interactive", "batch"]}),
    *(
        _header(
            name,
            "Milliseconds until the answer is of no use; the smallest of all limits counts.",
            {"type": "integer", "minimum": 0, "maximum": 999_999_999_999},
        )
        for name in TIMEOUTS
    ),
    _header(
        "X-Request-ID",
        "The request's id, where it has 1 to 128 of `A-Z a-z 0-9 . _ -`; in place of any other one is made.",
        {"type": "string"},
    ),
]

_QUERY = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {word: told for word, told in schema.items() if (word, told) != ("default", None)},
        "description": schema["description"],
    }
    for name, schema in PanopticOptions.model_json_schema()["properties"].items()
]

REQUEST_BODY: dict[str, Any] = {"requestBody": _request_body(PART), "parameters": [*_QUERY, *_HEADERS]}

REQUEST_BODY_OF_PREDICTIONS: dict[str, Any] = {
    "requestBody": _request_body("data", "body", PART),
    "parameters": [*_QUERY, *_HEADERS],
}

INFER_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": _media(_ref("InferRequest"), ("A photograph in base64", INFER_REQUEST)),
            "application/octet-stream": _picture("The JSON, and behind it the binary tensor"),
        },
    },
    "parameters": [
        *_HEADERS,
        _header(
            HEADER, "How many bytes of the body are JSON; all, where it is left out.", {"type": "integer"}
        ),
    ],
}

_FAULTS = _shared("Fault", problems(*(name for name in PROBLEM_TYPES if name not in _NOT_OF_PHOTOGRAPHS)))

_FORMS: dict[str, dict[str, Any]] = {
    MEDIA_TYPES["json"]: {
        "schema": {
            "anyOf": [
                _ref("PanopticAnswer"),
                _ref("ResultsAnswer"),
                {"type": "array", "items": _ref("MaskAnswer")},
                {
                    "type": "array",
                    "items": {"anyOf": [{"type": "array", "items": _ref("MaskAnswer")}, _ref("ErrorAnswer")]},
                },
            ]
        },
        "examples": {
            "one": {"summary": "One photograph", "value": ANSWER},
            "several": {"summary": "Several photographs", "value": RESULTS},
            "hugging-face": {"summary": "?format=huggingface", "value": HUGGING_FACE},
        },
    },
    MEDIA_TYPES["png"]: _picture("The COCO panoptic PNG, with segments_info and request_id as text"),
    MEDIA_TYPES["multipart"]: _media(_BINARY, ("The object, then the PNG", PARTS)),
    MEDIA_TYPES["overlay"]: _picture("The photograph under its coloured segments"),
    MEDIA_TYPES["coco"]: _media(_ref("CocoPanoptic"), ("A photograph", COCO_PANOPTIC)),
    MEDIA_TYPES["rle"]: _media(_ref("CocoMasks"), ("A photograph", COCO_MASKS)),
    MEDIA_TYPES["ndjson"]: _media({"type": "string"}, ("A line for each photograph", LINES)),
}

_SEGMENTED: Responses = {
    200: {
        "description": "The answer, in the form that Accept or `format` asks for.",
        "headers": {
            "Vary": {"description": "Accept.", "schema": {"type": "string"}},
            "Server-Timing": {
                "description": "Milliseconds of each stage, of one photograph.",
                "schema": {"type": "string"},
            },
        },
        "content": _FORMS,
    },
}

SEGMENTED = _shared("Segmented", _SEGMENTED) | _FAULTS

INFERRED: Responses = {
    200: {
        "description": "The outputs; where one is binary, its bytes stand behind the JSON.",
        "content": {
            "application/json": _media(_ref("InferAnswer"), ("A photograph", INFER_ANSWER)),
            "application/octet-stream": _picture("The JSON, and behind it the binary tensors"),
        },
    },
    **_FAULTS,
}
