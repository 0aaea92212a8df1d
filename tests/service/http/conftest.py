"""A server whose engine is held, and what a refusal must look like."""

import threading

import httpx
import pytest

from model.bundle import Bundle
from service.backends import Heads, Pictures, open_backend
from service.pipeline.predictor import Predictor
from tests.service.conftest import Encode, Serve
from tests.service.toy import BUCKETS, ROAD, SKY, paint

URL = "/v1/panoptic"


class Held:
    """A backend that waits until it is let go."""

    name, device, precision, lanes, gpu = "held", "cpu", "fp32", 1, None

    def __init__(self, bundle: Bundle) -> None:
        self._backend = open_backend(bundle, threads=1)
        self.entered, self.free = threading.Event(), threading.Event()
        self.images = 0

    def run(self, batch: Pictures) -> Heads:
        self.entered.set()
        assert self.free.wait(30)
        self.images += len(batch)
        return self._backend.run(batch)

    def close(self) -> None:
        self._backend.close()


@pytest.fixture
def held(toy: Bundle) -> Held:
    return Held(toy)


@pytest.fixture
def held_client(held: Held, toy: Bundle, serve: Serve) -> httpx.Client:
    """A client of a server that takes two photographs and answers none before it is let go."""
    predictor = Predictor(toy, held, max_batch=1, max_queue=2, max_pixels=1_000_000)
    return serve(predictor=predictor, max_queue=2)


@pytest.fixture
def scene(encode: Encode) -> bytes:
    return encode(paint((SKY, ROAD), [], BUCKETS[0]))


@pytest.fixture
def other_scene(encode: Encode) -> bytes:
    return encode(paint((ROAD, SKY), [], BUCKETS[0]))


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, object]:
    """The problem that an answer is; its standard fields hold."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content: dict[str, object] = answer.json()
    assert content["type"] == f"/problems/{name}"
    assert content["status"] == status
    assert content["instance"] == answer.headers["x-request-id"]
    return content
