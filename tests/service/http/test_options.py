"""Options that choose of the answer: classes, subtask, outputs and png; in the query and in JSON alike."""

import base64
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.service.conftest import Encode
from tests.service.http.conftest import URL, problem
from tests.service.http.laws import assert_laws, ids_of, ids_of_text
from tests.service.toy import BUCKETS, CAR, DIVISOR, ROAD, SKY, Thing, paint

SCENE = paint((SKY, ROAD), [Thing(CAR, 16, 56, 32, 24), Thing(CAR, 64, 56, 32, 24)], BUCKETS[0])


@pytest.fixture
def scene(encode: Encode) -> bytes:
    return encode(SCENE)


def ask(client: httpx.Client, scene: bytes, way: str, options: dict[str, Any]) -> dict[str, Any]:
    if way == "query":
        return client.post(URL, params=options, content=scene).raise_for_status().json()
    body = {"image": {"b64": base64.b64encode(scene).decode()}, "params": options}
    return client.post(URL, json=body).raise_for_status().json()


@pytest.mark.parametrize("way", ["query", "JSON"])
@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({"classes": ["car"]}, ["car", "car"]),
        ({"classes": ["road", 26]}, ["road", "car", "car"]),
        ({"classes": ["road,sky"]}, ["road", "sky"]),
        ({"classes": ["person"]}, []),
        ({"subtask": "instance"}, ["car", "car"]),
        ({"subtask": "semantic"}, ["road", "sky", "car"]),
        ({"subtask": "semantic", "classes": ["car"]}, ["car"]),
        ({"subtask": "instance", "classes": ["road"]}, []),
    ],
)
def test_classes_and_subtask_choose_segments_and_the_laws_hold(
    options: dict[str, Any], labels: list[str], way: str, client: httpx.Client, scene: bytes
) -> None:
    content = ask(client, scene, way, options)

    assert [segment["label"] for segment in content["segments_info"]] == labels
    assert_laws(content["segments_info"], ids_of_text(content["panoptic_png"]))


def test_the_things_of_a_class_become_one_segment_of_the_mean_score(
    client: httpx.Client, scene: bytes
) -> None:
    apart = ask(client, scene, "query", {"subtask": "instance"})["segments_info"]

    joined = ask(client, scene, "query", {"subtask": "semantic", "classes": ["car"]})

    (car,) = joined["segments_info"]
    assert car["id"] == CAR * DIVISOR + 1
    area = sum(segment["area"] for segment in apart)
    assert car["score"] == pytest.approx(sum(each["score"] * each["area"] for each in apart) / area, abs=1e-3)
    y, x = np.nonzero(ids_of_text(joined["panoptic_png"]))
    assert car["center"] == pytest.approx([x.mean(), y.mean()], abs=0.051)


@pytest.mark.parametrize(
    ("outputs", "members"),
    [
        (["segments_info"], {"segments_info"}),
        (["panoptic_png"], {"panoptic_png"}),
        (["segments_info,panoptic_png"], {"segments_info", "panoptic_png"}),
        (["overlay_webp", "segments_info"], {"segments_info", "overlay_webp"}),
    ],
)
@pytest.mark.parametrize("way", ["query", "JSON"])
def test_outputs_choose_the_members(
    outputs: list[str], members: set[str], way: str, client: httpx.Client, scene: bytes
) -> None:
    content = ask(client, scene, way, {"outputs": outputs})

    assert set(content) == {"id", "model", "image", "timings_ms"} | members


def test_of_an_option_that_stands_twice_in_the_query_the_last_counts(
    client: httpx.Client, scene: bytes
) -> None:
    found = client.post(f"{URL}?subtask=instance&subtask=semantic&classes=car", content=scene).json()

    assert [segment["label"] for segment in found["segments_info"]] == ["car"]


def test_an_overlay_may_be_a_member(client: httpx.Client, scene: bytes) -> None:
    content = ask(client, scene, "query", {"outputs": "overlay_webp"})

    with Image.open(BytesIO(base64.b64decode(content["overlay_webp"]))) as image:
        assert (image.format, image.size) == ("WEBP", (128, 96))


def test_a_palette_holds_the_same_colours(client: httpx.Client, scene: bytes) -> None:
    wide = client.post(URL, content=scene, params={"format": "png"}).content
    narrow = client.post(URL, content=scene, params={"format": "png", "png": "palette"}).content

    with Image.open(BytesIO(narrow)) as image:
        assert image.mode == "P"
    assert np.array_equal(ids_of(narrow), ids_of(wide))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("classes=raod", "classes has 'raod', which is no class of this model, the nearest is road"),
        ("classes=road,cra", "'cra', which is no class of this model, the nearest is car"),
        ("classes=other", "'other'"),  # answered as void
        ("classes=999", "'999'"),
        ("subtask=panoptics", "subtask is 'panoptics'"),
        ("outputs=segments", "outputs is"),
        ("png=16", "png is '16'"),
        ("format=png&outputs=segments_info", "outputs chooses the members of json, multipart, ndjson"),
    ],
)
def test_a_wrong_choice_is_refused_by_name(
    query: str, words: str, client: httpx.Client, scene: bytes
) -> None:
    content = problem(client.post(f"{URL}?{query}", content=scene), 422, "invalid-option")

    assert words in str(content["detail"])
