"""The watchdog: an engine that hangs or fails for good is told from one that is busy or met a bad picture."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from model.bundle import Bundle
from service.backends import Heads, Pictures, open_backend
from service.pipeline.predictor import Predictor
from service.watchdog import illness
from tests.service.conftest import Encode
from tests.service.toy import BUCKETS, ROAD, SKY, paint


class Moody:
    """A backend that does as it is told."""

    name, device, precision, lanes, gpu = "moody", "cpu", "fp32", 1, None

    def __init__(self, bundle: Bundle) -> None:
        self._backend = open_backend(bundle, threads=1)
        self.entered, self.free = threading.Event(), threading.Event()
        self.free.set()
        self.failures_to_come = 0

    def run(self, batch: Pictures) -> Heads:
        self.entered.set()
        assert self.free.wait(30)
        if self.failures_to_come:
            self.failures_to_come -= 1
            raise RuntimeError("the device is gone")
        return self._backend.run(batch)

    def close(self) -> None:
        self._backend.close()


@pytest.fixture
def moody(toy: Bundle) -> Moody:
    return Moody(toy)


@pytest.fixture
def watched(moody: Moody, toy: Bundle) -> Iterator[Predictor]:
    predictor = Predictor(toy, moody, max_batch=1, max_queue=8, max_pixels=1_000_000)
    yield predictor
    moody.free.set()
    predictor.close()


@pytest.fixture
def scene(encode: Encode) -> bytes:
    return encode(paint((SKY, ROAD), [], BUCKETS[0]))


def fail(watched: Predictor, moody: Moody, scene: bytes, times: int) -> None:
    moody.failures_to_come = times
    for _ in range(times):
        with pytest.raises(RuntimeError):
            watched.submit(watched.prepare(scene)).result()


def test_an_engine_that_works_is_well(watched: Predictor, scene: bytes) -> None:
    watched.submit(watched.prepare(scene)).result()

    assert asyncio.run(illness(watched, 60)) == ""


def test_a_batch_that_does_not_end_is_a_hanging_engine(
    watched: Predictor, moody: Moody, scene: bytes
) -> None:
    moody.free.clear()
    running = watched.submit(watched.prepare(scene))
    assert moody.entered.wait(30)

    assert asyncio.run(illness(watched, 60)) == ""
    assert "PANOPTIC_ENGINE_TIMEOUT_S" in asyncio.run(illness(watched, 0))

    moody.free.set()
    running.result()
    assert asyncio.run(illness(watched, 0)) == ""


def test_failures_that_a_sound_picture_does_not_share_are_the_pictures(
    watched: Predictor, moody: Moody, scene: bytes
) -> None:
    fail(watched, moody, scene, 5)

    assert asyncio.run(illness(watched, 60)) == ""
    assert asyncio.run(illness(watched, 60)) == ""


def test_an_engine_that_fails_a_sound_picture_too_is_lost(
    watched: Predictor, moody: Moody, scene: bytes
) -> None:
    fail(watched, moody, scene, 3)
    moody.failures_to_come = 1

    assert "the device is gone" in asyncio.run(illness(watched, 60))
