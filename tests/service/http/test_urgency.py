"""Urgency: deadlines and priorities from headers, and what becomes of late work."""

import threading

import httpx
import pytest
from starlette.requests import Request

from service.http.keys import Key
from service.http.problems import Problem
from service.http.urgency import read_urgency
from service.pipeline.queue import Priority
from tests.service.http.conftest import URL, Held, problem

BATCH_ONLY = Key("night", "0" * 64, Priority.BATCH)


def asking(headers: dict[str, str], key: Key | None = None) -> Request:
    """A request with these headers."""
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "state": {"key": key}})


def test_the_smallest_timeout_counts() -> None:
    headers = {"X-Request-Timeout-Ms": "5000", "x-envoy-expected-rq-timeout-ms": "2000"}

    assert read_urgency(asking(headers), 60).timeout_s == 2


def test_the_server_bounds_what_a_caller_asks_for() -> None:
    assert read_urgency(asking({"X-Request-Timeout-Ms": "900000"}), 60).timeout_s == 60


def test_a_caller_is_interactive_unless_it_says_otherwise() -> None:
    assert [read_urgency(asking(given), 60).priority for given in ({}, {"X-Priority": "batch"})] == [
        Priority.INTERACTIVE,
        Priority.BATCH,
    ]


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"X-Request-Timeout-Ms": "soon"}, "X-Request-Timeout-Ms is 'soon'; it must be a whole number"),
        ({"X-Request-Timeout-Ms": "-5"}, "X-Request-Timeout-Ms is '-5'"),
        ({"X-Priority": "urgent"}, "X-Priority is 'urgent'; it may be interactive or batch."),
    ],
)
def test_a_header_that_says_nothing_is_refused(headers: dict[str, str], sentence: str) -> None:
    with pytest.raises(Problem, match=sentence):
        read_urgency(asking(headers), 60)


def test_a_key_for_batches_is_never_interactive() -> None:
    assert read_urgency(asking({}, BATCH_ONLY), 60).priority is Priority.BATCH

    with pytest.raises(Problem, match="X-Priority is interactive, and this key may ask for batch") as raised:
        read_urgency(asking({"X-Priority": "interactive"}, BATCH_ONLY), 60)

    assert (raised.value.name, raised.value.kind.status) == ("key-forbids", 403)


@pytest.mark.parametrize("given", ["no-cache", "max-age=0, No-Store"])
def test_a_caller_may_want_a_run_of_its_own(given: str) -> None:
    assert read_urgency(asking({"Cache-Control": given}), 60).alone
    assert not read_urgency(asking({"Cache-Control": "max-age=0"}), 60).alone


def test_work_that_is_late_is_dropped_and_answered_504(
    held: Held,
    held_client: httpx.Client,
    scene: bytes,
    other_scene: bytes,
) -> None:
    first = threading.Thread(target=lambda: held_client.post(URL, content=scene))
    first.start()
    assert held.entered.wait(30)

    answer = _ask_in_haste(held_client, other_scene)  # the engine is still held

    held.free.set()
    first.join(30)
    problem(answer, 504, "deadline-passed")
    assert 'panoptic_late_total{stage="queue"} 1.0' in held_client.get("/metrics").text
    assert held.images == 1


def _ask_in_haste(client: httpx.Client, scene: bytes) -> httpx.Response:
    return client.post(URL, content=scene, headers={"X-Request-Timeout-Ms": "200"})
