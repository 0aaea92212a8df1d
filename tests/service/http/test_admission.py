"""Admission: what is taken in is counted in photographs and bytes, and refused from headers alone."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.requests import Request

from service.http.admission import Admission
from service.http.forecast import Forecast
from service.http.keys import Key
from service.http.problems import Problem
from service.http.readiness import Readiness
from service.http.urgency import Urgency
from service.metrics import Metrics
from service.pipeline.queue import Priority, clock
from service.settings import Settings
from tests.service.conftest import Serve
from tests.service.http.conftest import URL, Held


class Engine:
    """A predictor and its batcher as admission sees them: a second each photograph."""

    def expected_item_s(self) -> float:
        return 1.0

    def expected_wait_s(self, priority: Priority = Priority.BATCH) -> float:
        return 0.0

    @property
    def batcher(self) -> "Engine":
        return self


@pytest.fixture
def make() -> Callable[..., Admission]:
    def admission(**settings: Any) -> Admission:
        readiness = Readiness(Metrics(), predictor=cast(Any, Engine()), state="ready")
        return Admission(Settings(**settings), readiness, Forecast(1))

    return admission


def asking(*, length: int | None = 0, key: Key | None = None) -> Request:
    """A request; a length of None is one that is not declared."""
    header = (b"transfer-encoding", b"chunked") if length is None else (b"content-length", b"%d" % length)
    return Request({"type": "http", "headers": [header], "state": {"key": key}})


def urgent(timeout_s: float = 1000, priority: Priority = Priority.INTERACTIVE) -> Urgency:
    return Urgency(priority, timeout_s, clock() + timeout_s)


def refusal(admission: Admission, request: Request, urgency: Urgency, **options: Any) -> Problem:
    with pytest.raises(Problem) as raised, admission.admit(request, urgency, **options):
        pass
    return raised.value


def test_a_request_counts_its_photographs(make: Callable[..., Admission]) -> None:
    admission = make(max_queue=4)

    with admission.admit(asking(), urgent(), images=3):
        found = refusal(admission, asking(), urgent(), images=2)

    assert (found.name, found.fields["limit"]) == ("queue-full", 4)
    assert "3 photographs wait" in found.detail


def test_photographs_that_only_the_body_tells_are_taken_in_later(make: Callable[..., Admission]) -> None:
    admission = make(max_queue=4)

    with admission.admit(asking(), urgent()) as predictor:
        with admission.admit_more(asking(), predictor, urgent(), 3):
            full = refusal(admission, asking(), urgent())
        with admission.admit(asking(), urgent()):
            pass

    assert full.name == "queue-full"


def test_bodies_are_bounded_together(make: Callable[..., Admission]) -> None:
    admission = make(max_queue_mb=5)

    with admission.admit(asking(length=3_000_000), urgent()):
        found = refusal(admission, asking(length=3_000_000), urgent())
        with admission.admit(asking(length=2_000_000), urgent()):
            pass

    assert (found.name, found.fields["limit"]) == ("queue-full", 5)
    assert "PANOPTIC_MAX_QUEUE_MB" in found.detail


def test_a_length_that_is_not_declared_counts_as_the_longest(make: Callable[..., Admission]) -> None:
    admission = make(max_queue_mb=5, max_body_mb=4)

    with admission.admit(asking(length=2_000_000), urgent()):
        found = refusal(admission, asking(length=None), urgent())

    assert found.name == "queue-full"


def test_one_body_is_taken_however_long(make: Callable[..., Admission]) -> None:
    with make(max_queue_mb=1).admit(asking(length=3_000_000), urgent()):
        pass


def test_an_answer_that_would_come_too_late_is_refused_and_told_when_to_come(
    make: Callable[..., Admission],
) -> None:
    admission = make()

    with admission.admit(asking(), urgent(), images=10):
        found = refusal(admission, asking(), urgent(timeout_s=5))

    assert (found.name, found.kind.status) == ("deadline-too-near", 429)
    assert (
        found.headers["Retry-After"] == "7"
    )  # 10 s ahead and 1 s of its own, less the 5 s it has, from above


def test_what_has_time_enough_is_taken(make: Callable[..., Admission]) -> None:
    admission = make()

    with admission.admit(asking(), urgent(), images=10), admission.admit(asking(), urgent(timeout_s=12)):
        pass


def test_where_nothing_is_ahead_a_photograph_is_tried_whatever_is_forecast(
    make: Callable[..., Admission],
) -> None:
    with make().admit(asking(), urgent(timeout_s=0.1)):
        pass


def test_photographs_of_a_lower_priority_are_not_ahead(make: Callable[..., Admission]) -> None:
    admission = make()

    with admission.admit(asking(), urgent(priority=Priority.BATCH), images=10):
        with admission.admit(asking(), urgent(timeout_s=5)):
            pass
        found = refusal(admission, asking(), urgent(timeout_s=5, priority=Priority.BATCH))

    assert found.name == "deadline-too-near"


def test_a_key_has_so_many_photographs_under_way(make: Callable[..., Admission]) -> None:
    admission, key = make(), Key("camera", "0" * 64, concurrency=2)

    with admission.admit(asking(key=key), urgent(), images=2):
        found = refusal(admission, asking(key=key), urgent())
        with admission.admit(asking(key=Key("other", "1" * 64)), urgent()):
            pass
    with admission.admit(asking(key=key), urgent()):
        pass

    assert (found.name, found.fields["limit"]) == ("key-busy", 2)
    assert int(found.headers["Retry-After"]) >= 1


def test_what_is_refused_is_counted_by_its_reason(make: Callable[..., Admission]) -> None:
    admission = make(max_queue=1)

    refusal(admission, asking(), urgent(), images=2)

    assert b'panoptic_rejected_total{reason="queue-full"} 1.0' in admission._metrics.text()


def test_what_more_servers_would_mend_is_asked_of_this_one(make: Callable[..., Admission]) -> None:
    admission = make(max_queue=1)
    saturation = admission._readiness.saturation
    saturation.believe(1e6)
    saturation.offer(1_000_000)
    before = saturation.ratio

    refusal(admission, asking(), urgent(), images=2)

    assert before is not None
    assert saturation.ratio == pytest.approx(3 * before, rel=0.01)


def first_words(client: httpx.Client, request: bytes) -> bytes:
    """What a server says to a request whose body is never sent."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=30) as raw:
        raw.sendall(request)
        return raw.recv(4096)


HEAD = b"POST /v1/panoptic HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n%s\r\n"


def test_a_body_that_is_welcome_is_asked_for(client: httpx.Client) -> None:
    assert first_words(client, HEAD % b"").startswith(b"HTTP/1.1 100 ")


def test_a_full_queue_asks_for_no_body_and_probes_are_answered(
    held_client: httpx.Client, held: Held, scene: bytes, other_scene: bytes
) -> None:
    with ThreadPoolExecutor(2) as pool:
        accepted = [pool.submit(held_client.post, URL, content=each) for each in (scene, other_scene)]
        assert held.entered.wait(30)
        while "panoptic_inflight_requests 2.0" not in held_client.get("/metrics").text:
            time.sleep(0.01)
        said = first_words(held_client, HEAD % b"")
        probes = [held_client.get(path).status_code for path in ("/livez", "/readyz", "/metrics")]
        held.free.set()
        statuses = [future.result().status_code for future in accepted]

    assert said.startswith(b"HTTP/1.1 429 ")
    assert probes == [200, 200, 200]
    assert statuses == [200, 200]


def test_a_wrong_key_asks_for_no_body(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"camera {'0' * 64}\n")
    client = serve(keys=tmp_path / "keys")

    assert first_words(client, HEAD % b"X-API-Key: guessed\r\n").startswith(b"HTTP/1.1 401 ")


def test_a_body_that_comes_in_time_after_the_word_is_answered(client: httpx.Client, scene: bytes) -> None:
    head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(scene)}\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=30) as raw:
        raw.sendall(head.encode())
        asked = raw.recv(25)
        raw.sendall(scene)
        answer = raw.recv(4096)

    assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 200 ")
