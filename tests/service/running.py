"""A server of the whole app in this process, whose engine can be held."""

import threading
import time
from collections.abc import Callable

import httpx

from model.bundle import Bundle
from service.app import create_app
from service.backends import Backend, Heads, Pictures
from service.settings import Settings
from tests.service.conftest import run_server, wait_until_ready
from tests.service.toy import BUCKETS

QUEUED = 'panoptic_queue_depth{priority="interactive"}'


class Waiting:
    """A backend that waits until it is let go."""

    def __init__(self, inner: Backend) -> None:
        self.name, self.device, self.precision = inner.name, inner.device, inner.precision
        self._inner = inner
        self.entered, self.free = threading.Event(), threading.Event()

    def run(self, batch: Pictures) -> Heads:
        self.entered.set()
        assert self.free.wait(30)
        return self._inner.run(batch)

    def close(self) -> None:
        self._inner.close()


class Running:
    """The server and its client; whoever began it closes it."""

    def __init__(self, bundle: Bundle, **settings: object) -> None:
        self.app = create_app(Settings(bundle=bundle.path, **{"threads": 1, **settings}))  # type: ignore[arg-type]
        self._server, self._thread, self.port = run_server(self.app)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        wait_until_ready(self.client)

    def hold(self, seconds: float = 0.5) -> Waiting:
        """Hold the engine, and let as many leave together as wait.

        Args:
            seconds: that a batch is believed to take, of whatever size.
        """
        predictor = self.app.state.parts.readiness.predictor
        predictor.runs.backend = held = Waiting(predictor.runs.backend)
        predictor.pace.sizes = predictor.batch_sizes
        for size in predictor.batch_sizes * 50:  # until what was measured at the start is forgotten
            predictor.pace.learn((*BUCKETS[0], 3), size, seconds)
        return held

    def wait_for(self, words: str) -> None:
        """Until the metrics have these words."""
        end = time.monotonic() + 20
        while words not in self.client.get("/metrics").text:
            assert time.monotonic() < end, words
            time.sleep(0.01)

    def close(self) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join(30)


Start = Callable[..., Running]
