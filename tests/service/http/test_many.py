"""Many photographs in one request: answers and problems of their own, in order, and each counts in the queue."""

import base64
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from service.backends import Heads, Pictures
from tests.service.conftest import Encode
from tests.service.http.conftest import URL, Held, problem
from tests.service.http.laws import assert_laws, ids_of, ids_of_text
from tests.service.http.test_answer_forms import read_as_panopticapi, read_multipart
from tests.service.toy import BUCKETS, CAR, ROAD, SKY, Thing, paint

SCENES = (
    paint((SKY, ROAD), [Thing(CAR, 16, 56, 32, 24)], BUCKETS[0]),
    paint((ROAD, SKY), [], (40, 50)),
)
BAD = b"to be or not to be"


@pytest.fixture
def images(encode: Encode) -> list[bytes]:
    """Two photographs, and one that is none between them."""
    return [encode(SCENES[0]), BAD, encode(SCENES[1])]


def body_of(images: list[bytes], **params: Any) -> dict[str, Any]:
    texts = [base64.b64encode(image).decode() for image in images]
    return {"images": [{"b64": text} for text in texts], "params": params}


def singly(client: httpx.Client, image: bytes) -> list[dict[str, Any]]:
    segments: list[dict[str, Any]] = client.post(URL, content=image).json()["segments_info"]
    return segments


@pytest.mark.parametrize("form", ["JSON", "a form"])
def test_each_has_its_answer_or_its_problem_in_order(
    form: str, client: httpx.Client, images: list[bytes]
) -> None:
    files = [("image", ("a.png", image)) for image in images]

    answer = client.post(URL, json=body_of(images)) if form == "JSON" else client.post(URL, files=files)

    results = answer.json()["results"]
    assert [(each["index"], each["status"]) for each in results] == [(0, 200), (1, 400), (2, 200)]
    assert results[1]["problem"]["type"] == "/problems/not-an-image"
    for index in (0, 2):
        found = results[index]["answer"]
        assert found["segments_info"] == singly(client, images[index])
        assert_laws(found["segments_info"], ids_of_text(found["panoptic_png"]))


def test_a_list_of_one_is_a_list(client: httpx.Client, images: list[bytes]) -> None:
    results = client.post(URL, json=body_of(images[:1])).json()["results"]

    assert [each["status"] for each in results] == [200]


def test_base64_that_is_none_is_a_problem_of_its_own(client: httpx.Client, images: list[bytes]) -> None:
    body = body_of(images)
    body["images"][1] = {"b64": "!"}

    results = client.post(URL, json=body).json()["results"]

    assert [each["status"] for each in results] == [200, 400, 200]
    assert "images[1].b64 is no base64" in results[1]["problem"]["detail"]


def test_ndjson_has_a_line_for_each(client: httpx.Client, images: list[bytes]) -> None:
    answer = client.post(URL, json=body_of(images), headers={"Accept": "application/x-ndjson"})

    lines = {line["index"]: line for line in map(json.loads, answer.text.splitlines())}
    assert {index: line["status"] for index, line in lines.items()} == {0: 200, 1: 400, 2: 200}
    assert lines[0]["answer"]["segments_info"] == singly(client, images[0])


def test_a_line_is_sent_as_soon_as_it_is_done(
    held_client: httpx.Client, held: Held, images: list[bytes]
) -> None:
    with held_client.stream("POST", URL, json=body_of([images[0], BAD], format="ndjson")) as answer:
        lines = answer.iter_lines()
        first = json.loads(next(lines))  # of the bad one, while the engine is held
        held.free.set()
        second = json.loads(next(lines))

    assert (first["index"], second["index"]) == (1, 0)


def test_multipart_has_a_part_for_each(client: httpx.Client, images: list[bytes]) -> None:
    answer = client.post(URL, json=body_of(images), headers={"Accept": "multipart/mixed"})

    outer = answer.headers["content-type"]
    assert outer.startswith("multipart/mixed; boundary=")
    bodies = answer.content.split(b"--" + outer.partition("boundary=")[2].encode())[1:-1]
    types = [body.split(b"\r\n")[1] for body in bodies]
    assert types[1] == b"Content-Type: application/problem+json"
    for index in (0, 2):
        content_type = types[index].partition(b": ")[2].decode()
        inner = bodies[index].split(b"\r\n\r\n", 1)[1]
        (_, document), (_, png) = read_multipart(inner.removesuffix(b"\r\n"), content_type)
        assert_laws(json.loads(document)["segments_info"], ids_of(png))


def test_coco_panoptic_is_one_file_for_all(client: httpx.Client, images: list[bytes]) -> None:
    document = client.post(URL, json=body_of(images, format="coco")).json()

    assert read_as_panopticapi(document) == {1: singly(client, images[0]), 3: singly(client, images[2])}
    assert [(each["image_id"], each["status"]) for each in document["problems"]] == [(2, 400)]


def test_coco_rle_numbers_all_annotations(client: httpx.Client, images: list[bytes]) -> None:
    document = client.post(URL, json=body_of(images, format="rle")).json()

    assert [each["id"] for each in document["annotations"]] == [1, 2, 3, 4, 5]
    assert [each["image_id"] for each in document["annotations"]] == [1, 1, 1, 3, 3]


def test_a_coco_file_of_nothing_is_the_first_problem(client: httpx.Client) -> None:
    problem(client.post(URL, json=body_of([BAD, BAD], format="coco")), 400, "not-an-image")


def test_hugging_faces_form_has_a_list_for_each(client: httpx.Client, images: list[bytes]) -> None:
    texts = [base64.b64encode(image).decode() for image in images]

    first, second, third = client.post(URL, json={"inputs": texts}).json()

    assert [mask["label"] for mask in first] == ["road", "sky", "car"]
    assert list(second) == ["error"]
    assert len(third) == 2


@pytest.mark.parametrize("format_", ["png", "overlay"])
def test_a_form_of_one_picture_cannot_hold_many(
    format_: str, client: httpx.Client, images: list[bytes]
) -> None:
    content = problem(client.post(URL, json=body_of(images, format=format_)), 406, "not-acceptable")

    assert "image/png" not in content["available"]  # type: ignore[operator]


def test_each_counts_in_the_queue(held_client: httpx.Client, held: Held, images: list[bytes]) -> None:
    good = [images[0], images[2]]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(held_client.post, URL, json=body_of(good))
        assert held.entered.wait(30)
        full = held_client.post(URL, json=body_of(good))
        held.free.set()
        results = first.result().json()["results"]

    problem(full, 429, "queue-full")
    assert [each["status"] for each in results] == [200, 200]
    assert "panoptic_inflight_requests 0.0" in held_client.get("/metrics").text


def test_more_than_the_queue_holds_are_never_begun(
    held_client: httpx.Client, held: Held, images: list[bytes]
) -> None:
    problem(held_client.post(URL, json=body_of([images[0]] * 3)), 429, "queue-full")

    assert "panoptic_inflight_requests 0.0" in held_client.get("/metrics").text
    assert held.images == 0


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
def test_a_caller_that_leaves_takes_all_its_photographs_along(
    accept: str, held_client: httpx.Client, held: Held, images: list[bytes]
) -> None:
    body = json.dumps(body_of([images[0], images[2]])).encode()
    with socket.create_connection((held_client.base_url.host, held_client.base_url.port or 0)) as raw:
        head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: {accept}\r\n"
        raw.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert held.entered.wait(30)
        while 'panoptic_queue_depth{priority="interactive"} 1.0' not in held_client.get("/metrics").text:
            time.sleep(0.01)
    while "panoptic_inflight_requests 0.0" not in held_client.get("/metrics").text:
        time.sleep(0.01)
    held.free.set()

    assert held.images <= 1


def test_a_fault_with_one_is_no_fault_with_another(
    held_client: httpx.Client, held: Held, images: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = held.run

    def fail_on_the_first_scene(batch: Pictures) -> Heads:
        if np.array_equal(batch[0], SCENES[0]):
            raise ZeroDivisionError
        return run(batch)

    monkeypatch.setattr(held, "run", fail_on_the_first_scene)
    held.free.set()

    results = held_client.post(URL, json=body_of([images[0], images[2]])).json()["results"]

    assert [each["status"] for each in results] == [500, 200]
    assert "ZeroDivision" not in str(results)
