"""The Open Inference Protocol, spoken by Triton's own client over a real socket."""

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from tests.service.conftest import Encode, Serve
from tests.service.http.conftest import URL, problem
from tests.service.http.laws import assert_laws, ids_of
from tests.service.toy import BUCKETS, CAR, ROAD, SKY, Thing, paint

INFER = "/v2/models/toy/infer"


@pytest.fixture
def speaker(client: httpx.Client) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"{client.base_url.host}:{client.base_url.port}") as speaker:
        yield speaker


@pytest.fixture
def images(encode: Encode) -> list[bytes]:
    scene = paint((SKY, ROAD), [Thing(CAR, 16, 56, 32, 24)], BUCKETS[0])
    return [encode(scene), encode(paint((ROAD,), [], (30, 40)))]


def tensor(images: list[bytes], *, binary: bool) -> triton.InferInput:
    elements = images if binary else [base64.b64encode(image) for image in images]
    found = triton.InferInput("image", [len(images)], "BYTES")
    found.set_data_from_numpy(np.array(elements, np.object_), binary_data=binary)
    return found


def test_the_client_finds_server_and_model_ready(speaker: triton.InferenceServerClient) -> None:
    assert speaker.is_server_live()
    assert speaker.is_server_ready()
    assert speaker.is_model_ready("toy")
    assert "binary_tensor_data" in speaker.get_server_metadata()["extensions"]
    assert speaker.get_model_metadata("toy")["inputs"] == [
        {"name": "image", "datatype": "BYTES", "shape": [-1]}
    ]


@pytest.mark.parametrize("binary_in", [True, False], ids=["binary in", "JSON in"])
@pytest.mark.parametrize("binary_out", [True, False], ids=["binary out", "JSON out"])
def test_the_client_gets_a_png_and_an_answer_for_each(
    binary_in: bool,
    binary_out: bool,
    speaker: triton.InferenceServerClient,
    client: httpx.Client,
    images: list[bytes],
) -> None:
    names = ("panoptic_png", "answer")
    wanted = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in names]

    result = speaker.infer("toy", [tensor(images, binary=binary_in)], outputs=wanted, request_id="mine")

    assert result.get_response()["id"] == "mine"
    pngs, answers = (result.as_numpy(name) for name in names)
    for image, png, answer in zip(images, pngs, answers, strict=True):
        segments = json.loads(answer)["segments_info"]
        assert segments == client.post(URL, content=image).json()["segments_info"]
        assert_laws(segments, ids_of(png if binary_out else base64.b64decode(png)))


def test_all_outputs_are_binary_where_none_is_named(
    speaker: triton.InferenceServerClient, images: list[bytes]
) -> None:
    result = speaker.infer("toy", [tensor(images, binary=True)])

    assert len(result.as_numpy("panoptic_png")) == len(result.as_numpy("answer")) == 2


def test_options_are_parameters(speaker: triton.InferenceServerClient, images: list[bytes]) -> None:
    result = speaker.infer("toy", [tensor(images[:1], binary=True)], parameters={"classes": ["car"]})

    segments = json.loads(result.as_numpy("answer")[0])["segments_info"]
    assert [segment["label"] for segment in segments] == ["car"]


def test_the_client_is_told_what_is_wrong(speaker: triton.InferenceServerClient, images: list[bytes]) -> None:
    with pytest.raises(InferenceServerException, match="is no picture of a known format") as raised:
        speaker.infer("toy", [tensor([images[0], b"nothing"], binary=True)])

    assert raised.value.status() == "400"


def test_the_client_is_told_which_model_there_is(
    speaker: triton.InferenceServerClient, images: list[bytes]
) -> None:
    with pytest.raises(InferenceServerException, match="the model here is 'toy'"):
        speaker.infer("other", [tensor(images, binary=True)])


def request_of(**changes: Any) -> dict[str, Any]:
    element = {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["aGVsbG8="]}
    return {"inputs": [element | changes.pop("tensor", {})]} | changes


BAD: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "no inputs": ({}, 422, "invalid-form", "inputs"),
    "another tensor": (request_of(tensor={"name": "x"}), 422, "invalid-form", "inputs.0.name"),
    "another type": (request_of(tensor={"datatype": "FP32"}), 422, "invalid-form", "datatype"),
    "a wrong shape": (request_of(tensor={"shape": [2]}), 422, "invalid-form", "shape [2] and 1 elements"),
    "a shape of nothing": (request_of(tensor={"shape": [0], "data": []}), 422, "invalid-form", "at least 1"),
    "a negative shape": (request_of(tensor={"shape": [-1]}), 422, "invalid-form", "shape [-1]"),
    "no data": (request_of(tensor={"data": None}), 422, "invalid-form", "has no data"),
    "numbers": (request_of(tensor={"data": [1]}), 422, "invalid-form", "base64"),
    "no base64": (request_of(tensor={"data": ["!"]}), 400, "not-an-image", "data[0] is no base64"),
    "an unknown option": (request_of(parameters={"x": 1}), 422, "invalid-option", "x is no option"),
    "a form of its own": (request_of(parameters={"format": "png"}), 422, "invalid-option", "no meaning"),
    "an unknown output": (request_of(outputs=[{"name": "x"}]), 422, "invalid-form", "outputs.0.name"),
    "bytes that are not there": (
        request_of(tensor={"data": None, "parameters": {"binary_data_size": 4}}), 422, "invalid-form", "0 bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_wrong_request_is_a_problem_that_the_protocols_clients_read(
    bad: tuple[dict[str, Any], int, str, str], client: httpx.Client
) -> None:
    body, status, name, words = bad

    content = problem(client.post(INFER, json=body), status, name)

    assert words in str(content["detail"])
    assert content["error"] == content["detail"]


def binary_request(elements: bytes) -> tuple[bytes, int]:
    """The body and the length of its JSON."""
    element = {
        "name": "image",
        "datatype": "BYTES",
        "shape": [1],
        "parameters": {"binary_data_size": len(elements)},
    }
    head = json.dumps({"inputs": [element]}).encode()
    return head + elements, len(head)


@pytest.mark.parametrize("elements", [b"\0", struct.pack("<I", 9) + b"short", struct.pack("<I", 0) + b"\0\0"])
def test_a_tensor_that_breaks_off_is_an_incomplete_body(elements: bytes, client: httpx.Client) -> None:
    body, length = binary_request(elements)

    answer = client.post(INFER, content=body, headers={"Inference-Header-Content-Length": str(length)})

    problem(answer, 400, "body-incomplete")


@pytest.mark.parametrize("length", ["-1", "many", "99999", "9" * 30])
def test_a_length_that_cannot_be_is_refused(length: str, client: httpx.Client) -> None:
    answer = client.post(INFER, json=request_of(), headers={"Inference-Header-Content-Length": length})

    assert "Inference-Header-Content-Length is" in str(problem(answer, 422, "invalid-form")["detail"])


def test_more_photographs_than_set_are_refused(serve: Serve, images: list[bytes]) -> None:
    client = serve(max_images=1)
    texts = [base64.b64encode(image).decode() for image in images]

    answer = client.post(INFER, json=request_of(tensor={"shape": [2], "data": texts}))

    problem(answer, 413, "too-many-images")
