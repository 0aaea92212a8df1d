"""Forms of request: the rows of the interface's first table, each with what it takes and what it refuses."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.service.conftest import Serve
from tests.service.http.conftest import URL, problem


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


Send = Callable[[httpx.Client, bytes], httpx.Response]
SENDS: dict[str, Send] = {
    "JSON": lambda client, data: client.post(URL, json={"image": {"b64": b64(data)}}),
    "JSON with options": lambda client, data: client.post(
        URL, json={"image": {"b64": b64(data)}, "params": {"min_score": 0.01}}
    ),
    "a form with options": lambda client, data: client.post(
        URL, files={"image": ("a.png", data)}, data={"params": '{"min_score": 0.01}'}
    ),
    "a form with options as a file": lambda client, data: client.post(
        URL,
        files={
            "image": ("a.png", data),
            "params": ("params.json", b'{"min_score": 0.01}', "application/json"),
        },
    ),
    "Hugging Face's form, asked for ours": lambda client, data: client.post(
        URL, json={"inputs": b64(data), "parameters": {"threshold": 0.01}}, params={"format": "json"}
    ),
}


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
def test_a_photograph_may_be_sent_as(send: Send, client: httpx.Client, scene: bytes) -> None:
    expected = client.post(URL, content=scene).json()["segments_info"]

    assert send(client, scene).json()["segments_info"] == expected


BAD_JSON: dict[str, tuple[Any, int, str, str]] = {
    "no object": ([], 422, "invalid-form", "no object"),
    "neither form": ({"picture": 1}, 422, "invalid-form", "'picture'. Send exactly one of image, images, inputs"),
    "two forms": ({"image": {"b64": ""}, "inputs": ""}, 422, "invalid-form", "'image', 'inputs'"),
    "a number for the bytes": ({"image": {"b64": 1}}, 422, "invalid-form", "image.b64"),
    "no list": ({"images": {"b64": ""}}, 422, "invalid-form", "images"),
    "an empty list": ({"images": []}, 422, "invalid-form", "images"),
    "an unknown member": ({"image": {"b64": ""}, "parms": {}}, 422, "invalid-form", "the nearest is params"),
    "a URL": ({"image": {"url": "http://x/a.png"}}, 422, "invalid-form", "image.b64"),
    "no base64": ({"image": {"b64": "a!"}}, 400, "not-an-image", "image.b64 is no base64"),
    "a data URL": ({"image": {"b64": "data:image/png;base64,AA=="}}, 400, "not-an-image", "Leave the prefix"),
    "not ASCII": ({"inputs": "ü"}, 400, "not-an-image", "inputs is no base64"),
    "a text of no picture": ({"image": {"b64": "aGVsbG8="}}, 400, "not-an-image", "5 bytes"),
    "options of no kind": ({"image": {"b64": ""}, "params": []}, 422, "invalid-option", "params"),
    "an unknown option": (
        {"image": {"b64": ""}, "params": {"min_scor": 1}}, 422, "invalid-option", "the nearest is min_score",
    ),
    "a number as text": ({"image": {"b64": ""}, "params": {"min_score": "1"}}, 422, "invalid-option", "min_score"),
    "both names of an option": (
        {"inputs": "", "parameters": {"threshold": 0, "min_score": 0}}, 422, "invalid-option", "another name",
    ),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD_JSON.values(), ids=BAD_JSON)
def test_bad_json_is_refused_by_name(bad: tuple[Any, int, str, str], client: httpx.Client) -> None:
    body, status, name, words = bad

    assert words in str(problem(client.post(URL, json=body), status, name)["detail"])


def test_json_that_breaks_off_is_an_incomplete_body(client: httpx.Client) -> None:
    answer = client.post(
        URL, content=b'{"image":', headers={"Content-Type": "application/json; charset=utf-8"}
    )

    problem(answer, 400, "body-incomplete")


@pytest.mark.parametrize(
    ("files", "fields", "words"),
    [
        ([("picture", b"x")], {}, "'picture'; it may have `image`, `params`"),
        ([("imag", b"x")], {}, "'imag', the nearest is image"),
        ([], {"params": "{}"}, "no part `image`"),
        ([("image", b"x"), ("params", b"{}"), ("params", b"{}")], {}, "2 parts `params`"),
        ([("image", b"x")], {"params": "{"}, "is no JSON"),
    ],
)
def test_a_bad_form_is_refused_by_name(
    files: list[tuple[str, bytes]], fields: dict[str, str], words: str, client: httpx.Client
) -> None:
    parts = [(name, ("a", data)) for name, data in files]
    parts += [(name, (None, text.encode())) for name, text in fields.items()]  # type: ignore[misc]

    answer = client.post(URL, files=parts)

    assert words in str(problem(answer, 422, "invalid-form")["detail"])


def test_a_photograph_as_text_of_a_form_is_refused(client: httpx.Client) -> None:
    answer = client.post(URL, files={"image": (None, b"x")})

    assert "is text" in str(problem(answer, 422, "invalid-form")["detail"])


def test_an_option_in_query_and_body_is_refused(client: httpx.Client, scene: bytes) -> None:
    body = {"image": {"b64": b64(scene)}, "params": {"min_score": 0.5}}

    answer = client.post(URL, json=body, params={"min_score": 0.5})

    assert "min_score stands in the query and in the body" in str(
        problem(answer, 422, "invalid-option")["detail"]
    )


def test_a_packed_body_is_refused(client: httpx.Client, scene: bytes) -> None:
    answer = client.post(URL, content=scene, headers={"Content-Encoding": "gzip"})

    assert "'gzip'" in str(problem(answer, 415, "unsupported-media-type")["detail"])


@pytest.mark.parametrize("form", ["JSON", "a form", "Hugging Face's"])
@pytest.mark.parametrize("count", [3, 5])
def test_more_photographs_than_set_are_refused_and_the_limit_is_told(
    form: str, count: int, serve: Serve, scene: bytes
) -> None:
    client = serve(max_images=2)
    texts = [b64(scene)] * count

    answer = {
        "JSON": lambda: client.post(URL, json={"images": [{"b64": text} for text in texts]}),
        "a form": lambda: client.post(URL, files=[("image", ("a.png", scene))] * count),
        "Hugging Face's": lambda: client.post(URL, json={"inputs": texts}),
    }[form]()

    assert problem(answer, 413, "too-many-images")["limit"] == 2


def test_every_kind_of_body_is_told_where_another_was_sent(client: httpx.Client) -> None:
    answer = client.post(URL, content=b"<x/>", headers={"Content-Type": "application/xml"})

    accepted = answer.headers["accept-post"].split(", ")
    assert accepted == ["image/*", "application/octet-stream", "multipart/form-data", "application/json"]


def test_the_name_of_a_content_type_may_be_written_large(client: httpx.Client, scene: bytes) -> None:
    body = json.dumps({"image": {"b64": b64(scene)}}).encode()

    answer = client.post(URL, content=body, headers={"Content-Type": "APPLICATION/JSON"})

    assert answer.status_code == 200
