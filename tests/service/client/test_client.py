"""The client against a real server: what it returns is what the server said."""

import asyncio
import json
import re
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from model.bundle import Bundle
from service import predict
from service.client import AsyncClient, Client, Refused, Unanswered, write_coco
from tests.service.conftest import Encode, photograph
from tests.service.toy import BUCKETS, CAR, ROAD, SKY, Thing, paint

ROOT = Path(__file__).parents[3]


@pytest.fixture
def url(client: httpx.Client) -> str:
    return str(client.base_url)


@pytest.fixture
def scene(encode: Encode) -> bytes:
    return encode(paint((SKY, ROAD), [Thing(CAR, 16, 56, 32, 24)], BUCKETS[0]))


def test_an_answer_has_ids_in_every_pixel_and_typed_segments(url: str, scene: bytes, toy: Bundle) -> None:
    with Client(url) as client:
        answer = client.segment(scene)

    assert answer.ids.shape == BUCKETS[0]
    assert answer.ids.dtype == np.uint32
    assert {segment.id for segment in answer.segments} == set(np.unique(answer.ids)) - {0}
    assert [int(answer.mask(segment).sum()) for segment in answer.segments] == [
        segment.area for segment in answer.segments
    ]
    assert {segment.label for segment in answer.segments} == {"sky", "road", "car"}
    assert answer.model.digest == toy.digest


def test_both_clients_answer_the_same(url: str, scene: bytes) -> None:
    async def ask() -> list[bytes]:
        async with AsyncClient(url) as client:
            answers = await asyncio.gather(*(client.segment(scene) for _ in range(3)))
            assert (await client.model())["name"] == "toy"
            assert (await client.overlay(scene))[8:12] == b"WEBP"
            return [answer.ids.tobytes() for answer in answers]

    with Client(url) as client:
        expected = client.segment(scene).ids.tobytes()

    assert set(asyncio.run(ask())) == {expected}


def test_options_and_files_are_taken(url: str, scene: bytes, tmp_path: Path) -> None:
    path = tmp_path / "scene.png"
    path.write_bytes(scene)

    with Client(url) as client:
        answer = client.segment(path, min_score=1.0)

    assert answer.segments == ()


def test_a_refusal_has_the_name_and_the_words_of_its_problem(url: str) -> None:
    with Client(url) as client, pytest.raises(Refused, match="is no picture") as caught:
        client.segment(b"no picture")

    assert (caught.value.status, caught.value.name) == (400, "not-an-image")
    assert caught.value.request_id


def test_a_server_that_is_not_there_is_told_before_the_deadline_is_over() -> None:
    with Client("http://127.0.0.1:9", timeout_s=0.3) as client, pytest.raises(Unanswered, match="no answer"):
        client.segment(b"x")


def test_an_address_that_is_none_is_told_at_once() -> None:
    with Client("nowhere") as client, pytest.raises(Unanswered, match="protocol"):
        client.segment(b"x")


def test_an_export_is_a_data_set_in_cocos_panoptic_format(url: str, scene: bytes, tmp_path: Path) -> None:
    with Client(url) as client:
        answers = {name: client.segment(scene) for name in ("one.jpg", "one.png")}
        path = write_coco(tmp_path, answers, client.model()["categories"])

    document = json.loads(path.read_text())
    assert [image["file_name"] for image in document["images"]] == ["one.jpg", "one.png"]
    known = {category["id"]: category for category in document["categories"]}
    for image, annotation in zip(document["images"], document["annotations"], strict=True):
        assert annotation["image_id"] == image["id"]
        pixels = np.asarray(Image.open(path.parent / "panoptic" / annotation["file_name"]).convert("RGB"))
        ids = pixels.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
        assert ids.shape == (image["height"], image["width"])
        for segment in annotation["segments_info"]:
            assert segment["area"] == (ids == segment["id"]).sum()
            assert segment["category_id"] in known
        assert {segment["id"] for segment in annotation["segments_info"]} == set(np.unique(ids)) - {0}


def test_predicting_by_a_server_writes_what_predicting_alone_writes(
    url: str, toy: Bundle, tmp_path: Path
) -> None:
    china = str(photograph("china.jpg"))

    alone = predict.main([china, "--out", str(tmp_path / "alone"), "--bundle", str(toy.path)])
    remote = predict.main([china, "--out", str(tmp_path / "remote"), "--url", url])

    assert (alone, remote) == (0, 0)
    one, other = [
        np.asarray(Image.open(tmp_path / way / "china.png").convert("RGB")) for way in ("alone", "remote")
    ]
    assert np.array_equal(one, other)
    documents = [json.loads((tmp_path / way / "china.json").read_text()) for way in ("alone", "remote")]
    assert documents[0]["segments_info"] == documents[1]["segments_info"]
    assert Image.open(BytesIO((tmp_path / "remote" / "china.overlay.webp").read_bytes())).format == "WEBP"


def test_predicting_by_a_server_tells_what_failed(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")

    assert predict.main([str(bad), "--out", str(tmp_path), "--url", url]) == 1
    assert capsys.readouterr().err.startswith(f"{bad}: 400 not-an-image: ")
    assert predict.main([str(bad), "--out", str(tmp_path), "--url", url, "--threads", "1"]) == 2
    assert "--threads is for a model of one's own" in capsys.readouterr().err


def test_the_readmes_lines_of_python_do_what_they_say(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", readme, re.M | re.S)
    (tmp_path / "photo.jpg").write_bytes(photograph("china.jpg").read_bytes())
    monkeypatch.chdir(tmp_path)

    exec(block.replace("http://127.0.0.1:8000", url), {})

    assert capsys.readouterr().out
