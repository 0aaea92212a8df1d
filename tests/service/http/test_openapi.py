"""The OpenAPI document: whole, committed, true of its examples, and true of whatever schemathesis makes of it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from docs.openapi import FILE, document
from service.http import examples
from service.http.negotiation import MEDIA_TYPES
from service.http.problems import MEDIA_TYPE as PROBLEM
from service.http.problems import PROBLEM_TYPES
from service.http.schemas import (
    CocoMasks,
    CocoPanoptic,
    MaskAnswer,
    PanopticAnswer,
    ResultAnswer,
    ResultsAnswer,
)
from service.http.tensors import HEADER, InferAnswer
from service.http.urgency import TIMEOUTS
from tests.service.http.conftest import URL
from tests.service.toy import CATEGORIES

DOCUMENT: dict[str, Any] = json.loads(FILE.read_bytes())
OPERATIONS = {
    f"{method} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def responses(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """An operation's responses by status, references followed."""
    shared = DOCUMENT["components"]["responses"]
    return {
        status: shared[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        for status, response in operation["responses"].items()
    }


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every media type of every body, in both directions."""
    for name, operation in OPERATIONS.items():
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} takes {kind}", media
        for status, response in responses(operation).items():
            for kind, media in response.get("content", {}).items():
                yield f"{name} {status} {kind}", media


def test_the_committed_document_is_the_apps() -> None:
    assert document().decode() == FILE.read_text(encoding="utf-8"), "run `make openapi`"


def test_the_server_serves_the_committed_document(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json() == DOCUMENT


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]

    assert len(set(names)) == len(names)
    assert all(operation["description"] for operation in OPERATIONS.values())


def test_every_body_of_a_photograph_has_a_schema_and_an_example() -> None:
    of_ours = {name: media for name, media in contents() if "/panoptic" in name or "/infer" in name}

    assert [
        name for name, media in of_ours.items() if not (media.get("schema") and media.get("examples"))
    ] == []


def test_every_form_of_answer_is_told() -> None:
    assert set(responses(OPERATIONS[f"post {URL}"])["200"]["content"]) == set(MEDIA_TYPES.values())


def test_every_problem_of_a_photograph_is_told_with_its_status() -> None:
    told = {
        name: status
        for status, response in responses(OPERATIONS[f"post {URL}"]).items()
        if PROBLEM in response["content"]
        for name in response["content"][PROBLEM]["examples"]
    }

    elsewhere = {"not-found", "method-not-allowed"}
    assert told == {name: str(kind.status) for name, kind in PROBLEM_TYPES.items() if name not in elsewhere}


def test_every_reference_leads_somewhere() -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (value for name, value in node.items() if name == "$ref")
            yield from (found for value in node.values() for found in references(value))
        elif isinstance(node, list):
            yield from (found for value in node for found in references(value))

    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


@pytest.mark.parametrize("body", [examples.BODY_ONE, examples.BODY_MANY, examples.HUGGING_FACE_BODY])
def test_an_example_of_a_json_body_is_answered(body: dict[str, Any], client: httpx.Client) -> None:
    assert client.post(URL, json=body).status_code == 200


def test_the_examples_of_a_picture_and_of_a_tensor_are_answered(client: httpx.Client) -> None:
    assert client.post(URL, content=examples.PICTURE.encode()).status_code == 200
    assert client.post("/v2/models/toy/infer", json=examples.INFER_REQUEST).status_code == 200


def test_the_examples_of_answers_are_as_their_schemas_say() -> None:
    PanopticAnswer.model_validate(examples.ANSWER)
    ResultsAnswer.model_validate(examples.RESULTS)
    CocoPanoptic.model_validate(examples.COCO_PANOPTIC)
    CocoMasks.model_validate(examples.COCO_MASKS)
    InferAnswer.model_validate(examples.INFER_ANSWER)
    assert [MaskAnswer.model_validate(mask) for mask in examples.HUGGING_FACE]
    assert [ResultAnswer.model_validate_json(line) for line in examples.LINES.splitlines()]


PICTURES = st.just(examples.PICTURE.encode())
for kind in ("image/*", "application/octet-stream"):
    schemathesis.openapi.media_type(kind, PICTURES)
# 413 is too many photographs, 431 a query too long.
REJECTED = [str(status) for status in (400, 401, 403, 404, 405, 406, 413, 415, 422, 429, 431)]
CHECKS = {"negative_data_rejection": {"expected-statuses": REJECTED}}
FUZZED = schemathesis.openapi.from_dict(
    DOCUMENT,
    config=schemathesis.Config.from_dict({"checks": CHECKS, "phases": {"coverage": {"enabled": False}}}),
)
COVERED = schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config.from_dict({"checks": CHECKS}))
STEADY: dict[str, Any] = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@FUZZED.parametrize()
@settings(max_examples=8, derandomize=True, **STEADY)
def test_what_schemathesis_sends_is_answered_as_the_document_says(case: Any, client: httpx.Client) -> None:
    assert_told(case, client)


@pytest.mark.slow
@COVERED.parametrize()
@settings(max_examples=100, **STEADY)
def test_all_that_schemathesis_thinks_of_is_answered_as_the_document_says(
    case: Any, client: httpx.Client
) -> None:
    assert_told(case, client)


def assert_told(case: Any, client: httpx.Client) -> None:
    """Send a case, and hold its answer to all of schemathesis's checks."""
    grant_time(case)
    if case.meta.generation.mode.is_positive:
        make_true(case)
    case.call_and_validate(base_url=str(client.base_url))


def grant_time(case: Any) -> None:
    """A deadline of no time ends in 504 as it should, which counts as a failure of the server."""
    for name in TIMEOUTS:
        if str((case.headers or {}).get(name, "")).isdecimal():
            del case.headers[name]


def make_true(case: Any) -> None:
    """Put true pictures and names of classes into what is right in form: a document cannot tell them."""
    body, query = case.body, case.query or {}
    options = [query]
    if "model" in (case.path_parameters or {}):
        case.path_parameters["model"] = "toy"
    if case.path.endswith("/infer"):
        make_tensor_true(case)
    elif isinstance(body, dict):
        make_pictures_true(body)
        options += [body[name] for name in ("params", "parameters") if isinstance(body.get(name), dict)]
    for given in options:
        given.pop("outputs", None)  # some forms of answer have no members to choose
        given.pop("threshold", None)  # beside min_score it is one too many
        if given.get("classes") is not None:
            given["classes"] = [category.name for category in CATEGORIES if not category.isvoid]
    for twice in {name for given in options[1:] for name in given} & set(query):
        del query[twice]
    if case.media_type != "image/*" and any("format" in given for given in options):
        for given in options:  # one picture cannot answer several photographs
            given.pop("format", None)


def make_pictures_true(body: dict[str, Any]) -> None:
    """Replace the pictures of a form and of JSON."""
    for name in ("image", "data", "body"):
        if isinstance(body.get(name), list):
            body[name] = [examples.PICTURE.encode()]
    if isinstance(body.get("image"), dict):
        body["image"] = {"b64": examples.BASE64}
    if "images" in body:
        body["images"] = [{"b64": examples.BASE64}] * min(len(body["images"]), 3)
    if isinstance(body.get("inputs"), str):
        body["inputs"] = examples.BASE64
    elif "inputs" in body:
        body["inputs"] = [examples.BASE64] * min(len(body["inputs"]), 3)


def make_tensor_true(case: Any) -> None:
    """Replace the pictures of a tensor, in JSON or behind it."""
    case.headers = {name: value for name, value in (case.headers or {}).items() if name != HEADER}
    if isinstance(case.body, dict):
        case.body |= {"inputs": examples.INFER_REQUEST["inputs"], "parameters": {}}
        return
    picture = examples.PICTURE.encode()
    element: dict[str, Any] = {"name": "image", "datatype": "BYTES", "shape": [1]}
    element["parameters"] = {"binary_data_size": 4 + len(picture)}
    head = json.dumps({"inputs": [element]}).encode()
    case.body = head + len(picture).to_bytes(4, "little") + picture
    case.headers[HEADER] = str(len(head))
