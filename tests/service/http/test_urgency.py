"""Urgency: deadlines and priorities from headers, and what becomes of late work."""

import threading
import time

import httpx
import pytest
from starlette.datastructures import Headers

from service.http.problems import Problem
from service.http.urgency import read_urgency
from service.pipeline.queue import Priority
from tests.service.http.conftest import URL, Held, problem


def test_the_smallest_timeout_counts() -> None:
    headers = Headers({"X-Request-Timeout-Ms": "5000", "x-envoy-expected-rq-timeout-ms": "2000"})

    assert read_urgency(headers, 60).timeout_s == 2


def test_the_server_bounds_what_a_caller_asks_for() -> None:
    assert read_urgency(Headers({"X-Request-Timeout-Ms": "900000"}), 60).timeout_s == 60


def test_a_caller_is_interactive_unless_it_says_otherwise() -> None:
    assert [read_urgency(Headers(given), 60).priority for given in ({}, {"X-Priority": "batch"})] == [
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
        read_urgency(Headers(headers), 60)


def test_work_that_is_late_is_dropped_and_answered_504(
    held: Held,
    held_client: httpx.Client,
    scene: bytes,
) -> None:
    first = threading.Thread(target=lambda: held_client.post(URL, content=scene))
    first.start()
    assert held.entered.wait(30)
    late = threading.Thread(target=lambda: answers.append(_ask_in_haste(held_client, scene)))
    answers: list[httpx.Response] = []
    late.start()
    time.sleep(0.5)  # longer than the haste of the second; the engine is still held

    held.free.set()
    first.join(30)
    late.join(30)

    problem(answers[0], 504, "deadline-passed")
    assert held.images == 1


def _ask_in_haste(client: httpx.Client, scene: bytes) -> httpx.Response:
    return client.post(URL, content=scene, headers={"X-Request-Timeout-Ms": "200"})
