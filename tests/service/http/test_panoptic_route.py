"""The route over a real socket: forms of request, forms of answer, and the laws that hold on each."""

import base64
import json
import re
from collections.abc import Callable
from email import message_from_bytes
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.service.conftest import Encode, photograph
from tests.service.http.laws import assert_laws, ids_of, text_of
from tests.service.toy import BUCKETS, CAR, ROAD, SKY, Thing, paint

SCENE = paint((SKY, ROAD), [Thing(CAR, 16, 56, 32, 24), Thing(CAR, 64, 56, 32, 24)], BUCKETS[0])
URL = "/v1/panoptic"


@pytest.fixture
def scene(encode: Encode) -> bytes:
    return encode(SCENE)


def test_json_is_the_default_and_whole(client: httpx.Client, scene: bytes) -> None:
    answer = client.post(URL, content=scene)

    assert answer.headers["content-type"] == "application/json"
    content = answer.json()
    assert list(content) == ["id", "model", "image", "segments_info", "timings_ms", "panoptic_png"]
    assert content["image"] == {
        "width": 128, "height": 96, "orientation_applied": False, "exif_orientation": 1,
    }  # fmt: skip
    assert list(content["timings_ms"]) == ["decode", "prepare", "queue", "infer", "group", "encode", "total"]
    assert [segment["label"] for segment in content["segments_info"]] == ["road", "sky", "car", "car"]
    assert_laws(content["segments_info"], ids_of(base64.b64decode(content["panoptic_png"])))


def test_png_and_json_agree_segment_for_segment(client: httpx.Client, scene: bytes) -> None:
    told = client.post(URL, content=scene).json()
    answer = client.post(URL, content=scene, headers={"Accept": "image/png"})

    assert answer.headers["content-type"] == "image/png"
    text = text_of(answer.content)
    assert json.loads(text["segments_info"]) == told["segments_info"]
    assert text["request_id"] == answer.headers["x-request-id"]
    assert np.array_equal(ids_of(answer.content), ids_of(base64.b64decode(told["panoptic_png"])))


def test_multipart_has_the_json_and_then_the_png(client: httpx.Client, scene: bytes) -> None:
    answer = client.post(URL, content=scene, headers={"Accept": "multipart/mixed"})

    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    parts: Any = message_from_bytes(head + answer.content).get_payload()
    assert [part.get_content_type() for part in parts] == ["application/json", "image/png"]
    document, png = (part.get_payload(decode=True) for part in parts)
    assert "panoptic_png" not in json.loads(document)
    assert_laws(json.loads(document)["segments_info"], ids_of(png))


def test_an_overlay_is_a_webp_of_the_photographs_size(client: httpx.Client, scene: bytes) -> None:
    answer = client.post(URL, params={"format": "overlay"}, content=scene)

    with Image.open(BytesIO(answer.content)) as image:
        assert (answer.headers["content-type"], image.format, image.size) == ("image/webp", "WEBP", (128, 96))


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg", "rocket.jpg", "coffee.png", "chelsea.png"])
def test_a_real_photograph_is_answered_at_its_own_size(client: httpx.Client, name: str) -> None:
    path = photograph(name)
    with Image.open(path) as image:
        size = image.size

    content = client.post(URL, content=path.read_bytes()).json()

    ids = ids_of(base64.b64decode(content["panoptic_png"]))
    assert (content["image"]["width"], content["image"]["height"]) == size == ids.shape[::-1]
    assert_laws(content["segments_info"], ids)


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (200, 3), (97, 131), (400, 300)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_laws_hold_for_every_size_and_format(
    client: httpx.Client, encode: Encode, kind: str, size: tuple[int, int]
) -> None:
    answer = client.post(URL, content=encode(paint((SKY, ROAD), [], size), kind), params={"format": "png"})

    ids = ids_of(answer.content)
    assert ids.shape == size
    assert_laws(json.loads(text_of(answer.content)["segments_info"]), ids)


def test_a_turned_photograph_is_answered_upright(client: httpx.Client, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    content = client.post(URL, content=encode(SCENE, exif=exif)).json()

    assert content["image"] == {
        "width": 96, "height": 128, "orientation_applied": True, "exif_orientation": 6,
    }  # fmt: skip


Send = Callable[[httpx.Client, bytes], httpx.Response]
SENDS: dict[str, Send] = {
    "PUT, as curl -T": lambda client, data: client.put(URL, content=data),
    "any image type": lambda client, data: client.post(
        URL, content=data, headers={"Content-Type": "image/x-foo"}
    ),
    "curl's form default": lambda client, data: client.post(
        URL, content=data, headers={"Content-Type": "application/x-www-form-urlencoded"}
    ),
    "bytes": lambda client, data: client.post(
        URL, content=data, headers={"Content-Type": "application/octet-stream"}
    ),
    "a form": lambda client, data: client.post(URL, files={"image": ("photo.jpg", data, "image/jpeg")}),
    "chunks": lambda client, data: client.post(URL, content=iter([data[:1000], data[1000:]])),
}


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
def test_a_photograph_may_be_sent_as(send: Send, client: httpx.Client, scene: bytes) -> None:
    expected = client.post(URL, content=scene).json()["segments_info"]

    assert send(client, scene).json()["segments_info"] == expected


def test_a_form_is_no_slower_path_to_disk(client: httpx.Client, encode: Encode) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)

    answer = client.post(URL, files={"image": ("a.png", encode(noise), "image/png")})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({"stuff_area": 1_000_000}, ["car", "car"]),
        ({"top_k_instance": 1}, ["road", "sky"]),
        ({"min_score": 1}, []),
        ({"center_threshold": 1}, ["road", "sky"]),
        ({"nms_kernel": 255}, ["road", "sky", "car"]),
    ],
)
def test_an_option_changes_the_answer(
    client: httpx.Client, scene: bytes, options: dict[str, float], labels: list[str]
) -> None:
    content = client.post(URL, params=options, content=scene).json()

    found = [segment["label"] for segment in content["segments_info"]]
    assert set(found) == set(labels)


def test_an_answer_varies_by_accept_and_tells_its_stages(client: httpx.Client, scene: bytes) -> None:
    headers = client.post(URL, content=scene).headers

    assert headers["vary"] == "Accept"
    stages = re.findall(r"(\w+);dur=[\d.]+", headers["server-timing"])
    assert stages == ["decode", "prepare", "queue", "infer", "group", "encode", "total"]


def test_the_callers_id_is_echoed(client: httpx.Client, scene: bytes) -> None:
    answer = client.post(URL, content=scene, headers={"X-Request-ID": "mine-1.2_3"})

    assert answer.headers["x-request-id"] == answer.json()["id"] == "mine-1.2_3"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "ä"])
def test_an_id_that_is_not_allowed_is_replaced_by_one_of_ours(client: httpx.Client, given: str) -> None:
    found = client.get("/livez", headers={b"X-Request-ID": given.encode()}).headers["x-request-id"]

    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", found)
