"""Refusals: every mistake is a problem of a type whose page exists, and harms nobody else."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from service.http.negotiation import MEDIA_TYPES
from service.http.problems import PROBLEM_TYPES
from tests.service.conftest import Serve, photograph
from tests.service.files_by_hand import GRAY, png
from tests.service.http.conftest import URL, Held, problem

DOCS = Path(__file__).parents[3] / "docs" / "api.md"


def bad_bodies() -> dict[str, tuple[bytes, int, str]]:
    whole = photograph("china.jpg").read_bytes()
    return {
        "a truncated JPEG": (whole[: len(whole) // 2], 400, "image-damaged"),
        "an empty body": (b"", 400, "not-an-image"),
        "a text file": (b"to be or not to be\n" * 500, 400, "not-an-image"),
        "400 megapixels": (png(20_000, 20_000, 1, GRAY, b"\0" * 50_000), 413, "image-too-large"),
    }


@pytest.mark.parametrize("bad", bad_bodies().values(), ids=bad_bodies())
def test_a_bad_body_is_a_problem(bad: tuple[bytes, int, str], client: httpx.Client) -> None:
    body, status, name = bad

    content = problem(client.post(URL, content=body), status, name)

    assert len(str(content["detail"])) > 30


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def test_bad_bodies_cost_no_memory_and_a_good_photograph_between_them_is_answered(
    client: httpx.Client, scene: bytes
) -> None:
    bodies = [body for body, _, _ in bad_bodies().values()]

    def ask(body: bytes) -> int:
        return client.post(URL, content=body).status_code

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, bodies * 3))
        before = resident_mb()
        found = list(pool.map(ask, [*bodies * 5, scene, *bodies * 5]))

    assert found[20] == 200
    assert {status for status in found if status != 200} == {400, 413}
    assert resident_mb() - before < 30


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/problems/nothing", 404, "not-found"),
        ("GET", "/docs/other.js", 404, "not-found"),
        ("GET", URL, 405, "method-not-allowed"),
        ("POST", "/livez", 405, "method-not-allowed"),
    ],
)
def test_a_wrong_place_or_method_is_a_problem(
    method: str, path: str, status: int, name: str, client: httpx.Client
) -> None:
    problem(client.request(method, path), status, name)


def test_a_wrong_method_is_told_the_right_ones(client: httpx.Client) -> None:
    assert client.get(URL).headers["allow"] == "POST, PUT"


def test_an_answer_that_does_not_exist_is_refused_with_those_that_do(
    client: httpx.Client, scene: bytes
) -> None:
    answer = client.post(URL, content=scene, headers={"Accept": "text/html"})

    content = problem(answer, 406, "not-acceptable")
    assert content["available"] == list(dict.fromkeys(MEDIA_TYPES.values()))
    assert answer.headers["vary"] == "Accept"


def test_another_content_type_is_refused(client: httpx.Client) -> None:
    answer = client.post(URL, content=b"hello", headers={"Content-Type": "text/plain"})

    assert "text/plain" in str(problem(answer, 415, "unsupported-media-type")["detail"])


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            "center_treshold=1",
            "center_treshold is no option, the nearest is center_threshold; there are format",
        ),
        ("nms_kernel=4", "nms_kernel is '4': must be odd"),
        ("stuff_area=-1", "stuff_area is '-1'"),
        ("min_score=nan", "min_score is 'nan'"),
        ("top_k_instance=many", "top_k_instance is 'many'"),
    ],
)
def test_a_wrong_option_is_refused_by_name(
    query: str, words: str, client: httpx.Client, scene: bytes
) -> None:
    content = problem(client.post(f"{URL}?{query}", content=scene), 422, "invalid-option")

    assert words in str(content["detail"])
    assert content["errors"]


@pytest.mark.parametrize(
    "parts", [{"photo": b"x"}, {"image": b""}], ids=["a part of another name", "an empty part"]
)
def test_a_form_without_a_photograph_is_refused(parts: dict[str, bytes], client: httpx.Client) -> None:
    answer = client.post(URL, files={name: ("a.png", data) for name, data in parts.items()})

    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]


def test_a_form_that_is_none_is_refused(client: httpx.Client) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    problem(client.post(URL, content=b"no form", headers=headers), 400, "body-incomplete")
    problem(
        client.post(URL, content=b"x", headers={"Content-Type": "multipart/form-data"}),
        400,
        "body-incomplete",
    )


def test_a_body_that_is_declared_too_long_is_refused_before_it_is_sent(serve: Serve) -> None:
    client = serve(max_body_mb=0.001)
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as raw:
        raw.sendall(
            b"POST /v1/panoptic HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n"
        )
        head = raw.recv(4096)

    assert head.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("form", [False, True], ids=["raw", "form"])
def test_a_body_that_grows_too_long_is_refused(form: bool, serve: Serve) -> None:
    client = serve(max_body_mb=0.1)
    sent = {"Content-Type": "multipart/form-data; boundary=x"} if form else {}
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'

    answer = client.post(URL, content=iter([head if form else b"", *[b"a" * 50_000] * 4]), headers=sent)

    assert problem(answer, 413, "body-too-large")["limit"] == 0.1


def test_more_pixels_than_set_are_refused_and_the_limit_is_told(serve: Serve, scene: bytes) -> None:
    client = serve(max_megapixels=0.01)

    assert problem(client.post(URL, content=scene), 413, "image-too-large")["limit"] == 0.01


def test_a_full_queue_answers_429_with_retry_after(
    held_client: httpx.Client, held: Held, scene: bytes
) -> None:
    with ThreadPoolExecutor(2) as pool:
        accepted = [pool.submit(held_client.post, URL, content=scene) for _ in range(2)]
        assert held.entered.wait(30)
        while "panoptic_inflight_requests 2.0" not in held_client.get("/metrics").text:
            time.sleep(0.01)
        answer = held_client.post(URL, content=scene)
        held.free.set()
        statuses = [future.result().status_code for future in accepted]

    content = problem(answer, 429, "queue-full")
    assert int(answer.headers["retry-after"]) == content["retry_after_s"]
    assert content["limit"] == 2
    assert statuses == [200, 200]


def test_a_caller_that_leaves_takes_its_photograph_out_of_the_queue(
    held_client: httpx.Client, held: Held, scene: bytes, other_scene: bytes
) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(held_client.post, URL, content=scene)
        assert held.entered.wait(30)
        with socket.create_connection((held_client.base_url.host, held_client.base_url.port or 0)) as raw:
            raw.sendall(
                f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(other_scene)}\r\n\r\n".encode()
                + other_scene
            )
            while 'panoptic_queue_depth{priority="interactive"} 1.0' not in held_client.get("/metrics").text:
                time.sleep(0.01)
        while 'panoptic_cancelled_total{stage="queue"} 1.0' not in held_client.get("/metrics").text:
            time.sleep(0.01)
        held.free.set()
        first.result()

    assert held.images == 1
    assert 'panoptic_queue_depth{priority="interactive"} 0.0' in held_client.get("/metrics").text


def test_a_fault_of_ours_is_a_500_without_a_trace(
    held_client: httpx.Client, held: Held, scene: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "run", lambda batch: 1 // 0)

    answer = held_client.post(URL, content=scene)

    content = problem(answer, 500, "engine-failed")
    assert "ZeroDivision" not in answer.text
    assert content["detail"]


@pytest.mark.parametrize("name", PROBLEM_TYPES)
def test_the_page_of_every_problem_exists(name: str, client: httpx.Client) -> None:
    page = client.get(f"/problems/{name}")

    assert page.status_code == 200
    assert PROBLEM_TYPES[name].title in page.text


@pytest.mark.parametrize("name", PROBLEM_TYPES)
def test_the_docs_have_the_line_of_every_problem(name: str) -> None:
    line = f"| `{name}` | {PROBLEM_TYPES[name].status} | {PROBLEM_TYPES[name].title} |"

    assert line in DOCS.read_text(encoding="utf-8")
