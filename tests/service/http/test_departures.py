"""Departures and deadlines: wherever a photograph is, what has not begun is not done, and it is counted."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from model.bundle import Bundle
from service.pipeline.predictor import Predictor, Prepared
from tests.service.conftest import Encode, Serve
from tests.service.http.conftest import URL, Held, problem
from tests.service.toy import BUCKETS, ROAD, SKY, paint


class Slow(Predictor):
    """A predictor whose decoding waits for a word, and is counted."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.decoded = 0
        self.decoding, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def prepare(self, data: bytes, *, keep_photograph: bool = False) -> Prepared:
        self.decoded += 1
        self.decoding.set()
        assert self.go_on.wait(30)
        return super().prepare(data, keep_photograph=keep_photograph)


@pytest.fixture
def held_predictor(held: Held, toy: Bundle) -> Slow:
    return Slow(toy, held, max_batch=1, max_queue=50, max_pixels=1_000_000)


@pytest.fixture
def server(held_predictor: Slow, serve: Serve) -> httpx.Client:
    """A server of one thread and two places past the gate."""
    return serve(predictor=held_predictor, workers=1, max_batch=1, max_queue=50)


@pytest.fixture
def scenes(encode: Encode) -> Iterator[bytes]:
    """Photographs, no two of them equal."""

    def each() -> Iterator[bytes]:
        for number in range(1000):
            scene = paint((SKY, ROAD), [], BUCKETS[0])
            scene[0, 0, 0] = number % 256
            yield encode(scene)

    return each()


def send(client: httpx.Client, content: bytes, *, whole: bool = True) -> socket.socket:
    raw = socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=30)
    head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    raw.sendall(head + (content if whole else content[:100]))
    return raw


def wait_for(client: httpx.Client, words: str) -> None:
    end = time.monotonic() + 30
    while words not in client.get("/metrics").text:
        assert time.monotonic() < end, words
        time.sleep(0.01)


def receive(sent: list[socket.socket]) -> list[bytes]:
    """The first line of each answer; the connections are closed then."""
    lines = [raw.recv(15) for raw in sent]
    for raw in sent:
        raw.close()
    return lines


def leave(client: httpx.Client, raw: socket.socket, stage: str, count: int = 1) -> None:
    raw.close()
    wait_for(client, f'panoptic_cancelled_total{{stage="{stage}"}} {count}.0')


def test_who_leaves_before_its_body_is_whole(server: httpx.Client, scenes: Iterator[bytes]) -> None:
    leave(server, send(server, next(scenes), whole=False), "body")

    wait_for(server, "panoptic_inflight_requests 0.0")


def test_who_leaves_while_it_is_decoded_is_not_run(
    server: httpx.Client, held: Held, held_predictor: Slow, scenes: Iterator[bytes]
) -> None:
    held_predictor.go_on.clear()
    raw = send(server, next(scenes))
    assert held_predictor.decoding.wait(30)

    leave(server, raw, "decode")
    held_predictor.go_on.set()
    held.free.set()

    assert server.post(URL, content=next(scenes)).status_code == 200
    assert held.images == 1


def test_who_leaves_before_a_thread_is_free_is_not_decoded(
    server: httpx.Client, held: Held, held_predictor: Slow, scenes: Iterator[bytes]
) -> None:
    held_predictor.go_on.clear()
    first = send(server, next(scenes))
    assert held_predictor.decoding.wait(30)
    second = send(server, next(scenes))
    wait_for(server, "panoptic_inflight_requests 2.0")

    leave(server, second, "decode")
    leave(server, first, "decode", 2)
    held_predictor.go_on.set()
    held.free.set()

    assert server.post(URL, content=next(scenes)).status_code == 200
    assert held_predictor.decoded == 2


def test_who_leaves_before_the_gate_costs_nothing(
    server: httpx.Client, held: Held, held_predictor: Slow, scenes: Iterator[bytes]
) -> None:
    inside = [send(server, next(scenes)) for _ in range(2)]
    wait_for(server, 'panoptic_queue_depth{priority="interactive"} 1.0')
    outside = [send(server, next(scenes)) for _ in range(40)]
    wait_for(server, "panoptic_waiting_photographs 40.0")
    for raw in outside:
        raw.close()
    wait_for(server, 'panoptic_cancelled_total{stage="wait"} 40.0')
    held.free.set()
    answers = receive(inside)

    assert answers == [b"HTTP/1.1 200 OK"] * 2
    assert (held_predictor.decoded, held.images) == (2, 2)


def test_those_before_the_gate_pass_when_others_are_answered(
    server: httpx.Client, held: Held, scenes: Iterator[bytes]
) -> None:
    sent = [send(server, next(scenes)) for _ in range(12)]
    wait_for(server, "panoptic_waiting_photographs 10.0")
    held.free.set()
    answers = receive(sent)

    assert answers == [b"HTTP/1.1 200 OK"] * 12


def test_what_was_answered_is_held_by_nobody(
    server: httpx.Client, held: Held, scenes: Iterator[bytes]
) -> None:
    gc.collect()
    gc.disable()  # what frees a photograph is not a collection, which may be long in coming
    try:
        sent = [send(server, next(scenes)) for _ in range(12)]
        wait_for(server, "panoptic_waiting_photographs 10.0")
        held.free.set()
        answers = receive(sent)
        end = time.monotonic() + 10
        while left := sum(type(each) is Prepared for each in gc.get_objects()):
            assert time.monotonic() < end, left
            time.sleep(0.05)
    finally:
        gc.enable()

    assert answers == [b"HTTP/1.1 200 OK"] * 12


def test_who_leaves_while_it_runs_is_not_merged(
    server: httpx.Client, held: Held, scenes: Iterator[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    merged: list[object] = []
    monkeypatch.setattr("service.http.walk._answer", lambda *given: merged.append(given))
    raw = send(server, next(scenes))
    assert held.entered.wait(30)

    leave(server, raw, "infer")
    held.free.set()
    while not held.images:
        time.sleep(0.01)

    wait_for(server, "panoptic_inflight_requests 0.0")
    assert merged == []


@pytest.mark.parametrize("stage", ["wait", "queue", "infer"])
def test_a_deadline_is_answered_when_it_passes_though_the_engine_hangs(
    stage: str, server: httpx.Client, held: Held, scenes: Iterator[bytes]
) -> None:
    ahead = {"infer": 0, "queue": 1, "wait": 2}[stage]
    others = []
    for count in range(1, ahead + 1):
        others.append(send(server, next(scenes)))
        wait_for(server, f"panoptic_inflight_requests {count}.0")
        assert held.entered.wait(30)

    late = server.post(URL, content=next(scenes), headers={"X-Request-Timeout-Ms": "300"})

    problem(late, 504, "deadline-passed")
    assert f'panoptic_late_total{{stage="{stage}"}} 1.0' in server.get("/metrics").text
    for raw in others:
        raw.close()
    held.free.set()
