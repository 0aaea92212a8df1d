"""Equal photographs: one run for those under way, and what is kept of the latest."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from model.bundle import Bundle
from service.pipeline.predictor import Predictor
from tests.service.conftest import Serve
from tests.service.http.conftest import URL, Held, problem
from tests.service.http.test_keys import CAMERA, NIGHT, line


def wait_for(client: httpx.Client, words: str) -> None:
    while words not in client.get("/metrics").text:
        time.sleep(0.01)


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def busy(held: Held, toy: Bundle, serve: Serve) -> httpx.Client:
    return serve(predictor=Predictor(toy, held, max_batch=1, max_queue=8, max_pixels=1_000_000))


def together(
    crowd: ThreadPoolExecutor, client: httpx.Client, asked: list[tuple[bytes, str, dict[str, str]]]
) -> list["Future[httpx.Response]"]:
    """Send each (photograph, query, headers), the next when the one before is under way."""
    sent = []
    for count, (content, query, headers) in enumerate(asked, 1):
        sent.append(crowd.submit(client.post, URL + query, content=content, headers=headers))
        wait_for(client, f"panoptic_inflight_requests {count}.0")
    return sent


def test_equal_photographs_under_way_run_once_and_each_answer_is_its_callers_own(
    busy: httpx.Client, held: Held, scene: bytes, other_scene: bytes, crowd: ThreadPoolExecutor
) -> None:
    sent = together(
        crowd,
        busy,
        [
            (scene, "", {"X-Request-ID": "first"}),
            (scene, "", {"X-Request-ID": "second"}),
            (scene, "?min_score=1&format=json", {"X-Request-ID": "third"}),
            (other_scene, "", {}),
        ],
    )
    wait_for(busy, 'panoptic_cache_requests_total{result="joined"} 2.0')
    held.free.set()
    first, second, third, other = (future.result().json() for future in sent)

    assert held.images == 2
    assert [answer["id"] for answer in (first, second, third)] == ["first", "second", "third"]
    assert first["panoptic_png"] != other["panoptic_png"]
    assert first["segments_info"] == second["segments_info"] != third["segments_info"]
    assert third["timings_ms"]["infer"] == first["timings_ms"]["infer"]
    assert third["timings_ms"]["total"] != first["timings_ms"]["total"]


def test_the_caller_that_began_may_leave_and_the_other_is_answered(
    busy: httpx.Client, held: Held, scene: bytes, crowd: ThreadPoolExecutor
) -> None:
    head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(scene)}\r\n\r\n".encode()
    with socket.create_connection((busy.base_url.host, busy.base_url.port or 0)) as raw:
        raw.sendall(head + scene)
        wait_for(busy, "panoptic_inflight_requests 1.0")
        second = crowd.submit(busy.post, URL, content=scene)
        wait_for(busy, 'panoptic_cache_requests_total{result="joined"} 1.0')
    wait_for(busy, "panoptic_cancelled_total{stage=")
    held.free.set()

    assert second.result().status_code == 200
    assert held.images == 1


def test_a_shared_run_that_was_dropped_for_its_own_caller_is_begun_anew_for_the_other(
    busy: httpx.Client, held: Held, scene: bytes, other_scene: bytes, crowd: ThreadPoolExecutor
) -> None:
    sent = together(
        crowd,
        busy,
        [(other_scene, "", {}), (scene, "", {"X-Request-Timeout-Ms": "400"}), (scene, "", {})],
    )
    late = sent[1].result()
    held.free.set()

    problem(late, 504, "deadline-passed")
    assert sent[2].result().status_code == 200


@pytest.mark.parametrize("headers", [{"X-Priority": "batch"}, {"Cache-Control": "no-cache"}])
def test_another_priority_or_the_wish_for_it_gets_a_run_of_its_own(
    headers: dict[str, str], busy: httpx.Client, held: Held, scene: bytes, crowd: ThreadPoolExecutor
) -> None:
    sent = together(crowd, busy, [(scene, "", {}), (scene, "", headers)])
    wait_for(busy, 'panoptic_cache_requests_total{result="miss"} 2.0')
    held.free.set()

    assert [future.result().status_code for future in sent] == [200, 200]
    assert held.images == 2


@pytest.fixture
def keeping(held: Held, toy: Bundle, serve: Serve) -> httpx.Client:
    """A server that keeps what it saw, and whose engine counts."""
    held.free.set()
    return serve(predictor=Predictor(toy, held, max_batch=1, max_queue=8, max_pixels=1_000_000), cache_mb=10)


def test_a_photograph_that_is_sent_again_is_not_run_again(
    keeping: httpx.Client, held: Held, scene: bytes
) -> None:
    first, again = (keeping.post(URL, content=scene).json() for _ in range(2))

    assert held.images == 1
    assert again["segments_info"] == first["segments_info"]
    assert again["panoptic_png"] != ""
    assert again["id"] != first["id"]
    assert set(again["timings_ms"]) == {"group", "encode", "total"}
    assert 'panoptic_cache_requests_total{result="hit"} 1.0' in keeping.get("/metrics").text


def test_it_is_answered_in_another_form_with_other_options_from_what_is_kept(
    keeping: httpx.Client, held: Held, scene: bytes
) -> None:
    first = keeping.post(URL, content=scene)
    other = keeping.post(f"{URL}?min_score=1", content=scene)

    assert held.images == 1
    assert other.json()["segments_info"] != first.json()["segments_info"]
    assert other.headers["etag"] != first.headers["etag"]


def test_an_answer_is_had_again_at_its_address(keeping: httpx.Client, held: Held, scene: bytes) -> None:
    first = keeping.post(f"{URL}?format=png&min_score=0.1", content=scene)

    again = keeping.get(first.headers["content-location"])

    assert held.images == 1
    assert (again.status_code, again.headers["content-type"]) == (200, "image/png")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["content-location"] == first.headers["content-location"]
    assert again.headers["cache-control"] == "private, no-cache"
    assert again.headers["x-request-id"].encode() in again.content
    assert first.headers["x-request-id"].encode() not in again.content


@pytest.mark.parametrize("form", ["{}", "*", '"other", {}', "strong"])
def test_a_caller_that_has_the_answer_is_told_so(form: str, keeping: httpx.Client, scene: bytes) -> None:
    first = keeping.post(URL, content=scene)
    tag = first.headers["etag"]
    given = tag.removeprefix("W/") if form == "strong" else form.format(tag)

    again = keeping.get(first.headers["content-location"], headers={"If-None-Match": given})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag


def test_another_tag_gets_the_answer(keeping: httpx.Client, scene: bytes) -> None:
    where = keeping.post(URL, content=scene).headers["content-location"]

    assert keeping.get(where, headers={"If-None-Match": 'W/"another"'}).status_code == 200


def test_what_was_never_given_is_not_found(keeping: httpx.Client) -> None:
    content = problem(keeping.get(f"{URL}/{'0' * 64}"), 404, "not-found")

    assert "Send the photograph again." in str(content["detail"])


def test_the_least_recently_used_is_let_go(serve: Serve, scene: bytes, other_scene: bytes) -> None:
    client = serve(cache_mb=0.04)  # the heads of one toy photograph have 27,648 bytes
    first, second = (
        client.post(URL, content=each).headers["content-location"] for each in (scene, other_scene)
    )

    assert [client.get(where).status_code for where in (first, second)] == [404, 200]


def test_what_is_larger_than_the_cache_is_not_kept(serve: Serve, scene: bytes) -> None:
    client = serve(cache_mb=0.01)

    answer = client.post(URL, content=scene)

    assert answer.status_code == 200
    assert client.get(answer.headers["content-location"]).status_code == 404


def test_without_a_cache_an_answer_has_no_address(client: httpx.Client, scene: bytes) -> None:
    answer = client.post(URL, content=scene)

    assert {"etag", "content-location"} & set(answer.headers) == set()
    assert "PANOPTIC_CACHE_MB is 0" in client.get(f"{URL}/{'0' * 64}").json()["detail"]


def test_what_is_kept_of_one_key_is_not_found_by_another(serve: Serve, scene: bytes, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("camera", CAMERA) + line("night", NIGHT))
    client = serve(keys=tmp_path / "keys", cache_mb=10)
    mine, theirs = {"X-API-Key": CAMERA}, {"X-API-Key": NIGHT}

    where = client.post(URL, content=scene, headers=mine).headers["content-location"]
    timings = json.loads(client.post(URL, content=scene, headers=theirs).content)["timings_ms"]

    assert client.get(where, headers=mine).status_code == 200
    assert "infer" in timings
