"""Forms of answer: each opened by a reader that is not ours, and held to the laws of the interface."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import multipart
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from tests.service.conftest import Encode
from tests.service.http.conftest import URL
from tests.service.http.laws import assert_laws, ids_of, ids_of_text, text_of
from tests.service.toy import BUCKETS, CAR, CATEGORIES, ROAD, SKY, Thing, paint

SCENE = paint((SKY, ROAD), [Thing(CAR, 16, 56, 32, 24), Thing(CAR, 64, 56, 32, 24)], BUCKETS[0])
ACCEPTS = {
    "json": "application/json",
    "png": "image/png",
    "multipart": "multipart/mixed",
    "overlay": "image/webp",
    "coco": "application/vnd.coco.panoptic+json",
    "rle": "application/vnd.coco.rle+json",
    "ndjson": "application/x-ndjson",
}


@pytest.fixture
def scene(encode: Encode) -> bytes:
    return encode(SCENE)


@pytest.fixture
def told(client: httpx.Client, scene: bytes) -> dict[str, Any]:
    """The default answer, which the others must agree with."""
    content: dict[str, Any] = client.post(URL, content=scene).json()
    return content


def read_multipart(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """The parts of multipart/mixed, by the package `multipart`, which wants names that only forms have."""
    kind, options = multipart.parse_options_header(content_type)
    assert kind == "multipart/mixed"
    parser = multipart.PushMultipartParser(options["boundary"])
    found: list[tuple[str, bytes]] = []
    named = body.replace(
        b"\r\nContent-Type:", b'\r\nContent-Disposition: form-data; name="x"\r\nContent-Type:'
    )
    for event in parser.parse(named):
        if isinstance(event, multipart.MultipartSegment):
            found.append((event.header("Content-Type"), b""))
        elif event:
            found[-1] = (found[-1][0], found[-1][1] + bytes(event))
    parser.close()
    return found


def read_as_panopticapi(document: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """{image id: segments}, by the rules of panopticapi's pq_compute, which ends with an error where one is broken."""
    categories = {category["id"]: category for category in document["categories"]}
    images = {image["id"]: image for image in document["images"]}
    found = {}
    for annotation in document["annotations"]:
        image = images[annotation["image_id"]]
        assert annotation["file_name"].endswith(".png")
        ids = ids_of_text(annotation["panoptic_png"])
        assert ids.shape == (image["height"], image["width"])
        segments = {each["id"]: each for each in annotation["segments_info"]}
        assert len(segments) == len(annotation["segments_info"])
        labels, areas = np.unique(ids, return_counts=True)
        counted = dict(zip(labels.tolist(), areas.tolist(), strict=True))
        assert set(counted) - {0} == set(segments)  # nothing unknown in the PNG, nothing missing in it
        for segment_id, segment in segments.items():
            assert segment["category_id"] in categories
            assert segment["area"] == counted[segment_id]
        found[image["id"]] = annotation["segments_info"]
    return found


@pytest.mark.parametrize("name", ACCEPTS)
def test_a_form_is_had_by_header_and_by_option(name: str, client: httpx.Client, scene: bytes) -> None:
    by_header = client.post(URL, content=scene, headers={"Accept": ACCEPTS[name]})
    by_option = client.post(URL, content=scene, params={"format": name})

    for answer in (by_header, by_option):
        assert answer.headers["content-type"].split(";")[0] == ACCEPTS[name]
        assert answer.headers["vary"] == "Accept"


def test_coco_panoptic_is_a_file_that_panopticapi_reads(
    client: httpx.Client, scene: bytes, told: dict[str, Any]
) -> None:
    document = client.post(URL, content=scene, params={"format": "coco"}).json()

    assert read_as_panopticapi(document) == {1: told["segments_info"]}
    assert_laws(document["annotations"][0]["segments_info"], ids_of_text(told["panoptic_png"]))
    assert {category["id"] for category in document["categories"]} == {
        category.id for category in CATEGORIES if not category.isvoid
    }


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_coco_rle_is_a_file_that_pycocotools_reads(
    client: httpx.Client, scene: bytes, told: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "rle.json"
    path.write_bytes(client.post(URL, content=scene, params={"format": "rle"}).content)
    coco = COCO(str(path))
    ids = ids_of_text(told["panoptic_png"])

    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[1]))

    assert {each["segment_id"] for each in annotations} == set(np.unique(ids).tolist()) - {0}
    for annotation in annotations:
        inside = coco.annToMask(annotation)
        assert np.array_equal(inside, ids == annotation["segment_id"])
        assert coco_mask.area(annotation["segmentation"]) == annotation["area"]
        assert coco_mask.toBbox(annotation["segmentation"]).tolist() == annotation["bbox"]
        assert coco.loadCats([annotation["category_id"]])[0]["name"] == annotation["label"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_segments_with_masks_are_those_of_the_png(client: httpx.Client, scene: bytes) -> None:
    outputs = ["segmentation", "panoptic_png"]
    content = client.post(URL, content=scene, params={"outputs": outputs}).json()
    ids = ids_of_text(content["panoptic_png"])

    for segment in content["segments_info"]:
        assert np.array_equal(coco_mask.decode(segment["segmentation"]), ids == segment["id"])


def test_multipart_is_read_by_another_library(
    client: httpx.Client, scene: bytes, told: dict[str, Any]
) -> None:
    answer = client.post(URL, content=scene, headers={"Accept": "multipart/mixed"})

    (json_type, document), (png_type, png) = read_multipart(answer.content, answer.headers["content-type"])

    assert (json_type, png_type) == ("application/json", "image/png")
    assert json.loads(document)["segments_info"] == told["segments_info"]
    assert_laws(told["segments_info"], ids_of(png))


def test_the_png_alone_holds_the_laws(client: httpx.Client, scene: bytes, told: dict[str, Any]) -> None:
    png = client.post(URL, content=scene, headers={"Accept": "image/png"}).content

    segments = json.loads(text_of(png)["segments_info"])
    assert segments == told["segments_info"]
    assert_laws(segments, ids_of(png))


def test_hugging_faces_form_has_label_score_and_mask(
    client: httpx.Client, scene: bytes, told: dict[str, Any]
) -> None:
    body = {"inputs": base64.b64encode(scene).decode(), "parameters": {"threshold": 0.01}}
    ids = ids_of_text(told["panoptic_png"])

    masks = client.post(URL, json=body).json()

    for mask, segment in zip(masks, told["segments_info"], strict=True):
        assert (mask["label"], mask["score"]) == (segment["label"], segment["score"])
        with Image.open(BytesIO(base64.b64decode(mask["mask"]))) as image:
            assert image.mode == "L"
            assert np.array_equal(np.asarray(image), 255 * (ids == segment["id"]))


def test_hugging_faces_form_may_be_asked_for(client: httpx.Client, scene: bytes) -> None:
    found = client.post(URL, content=scene, params={"format": "huggingface"}).json()

    assert {tuple(sorted(mask)) for mask in found} == {("label", "mask", "score")}


def test_one_photograph_is_one_line_of_ndjson(
    client: httpx.Client, scene: bytes, told: dict[str, Any]
) -> None:
    answer = client.post(URL, content=scene, params={"format": "ndjson"})

    (line,) = answer.text.splitlines()
    found = json.loads(line)
    assert (found["index"], found["status"]) == (0, 200)
    assert found["answer"]["segments_info"] == told["segments_info"]


def test_a_form_in_the_bodys_options_goes_before_the_header(client: httpx.Client, scene: bytes) -> None:
    body = {"image": {"b64": base64.b64encode(scene).decode()}, "params": {"format": "png"}}

    answer = client.post(URL, json=body, headers={"Accept": "application/json"})

    assert answer.headers["content-type"] == "image/png"


def test_an_empty_answer_is_whole_in_every_form(client: httpx.Client, scene: bytes) -> None:
    options: dict[str, Any] = {"min_score": 1}
    found = {name: client.post(URL, content=scene, params=options | {"format": name}) for name in ACCEPTS}

    assert {answer.status_code for answer in found.values()} == {200}
    assert read_as_panopticapi(found["coco"].json()) == {1: []}
    assert found["rle"].json()["annotations"] == []
    assert not ids_of(found["png"].content).any()
