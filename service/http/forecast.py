"""The forecast: how long an answer will take, from the engine's pace and the time that the other stages took."""

from collections.abc import Mapping
from typing import Any

from service.pipeline.batcher import Batcher
from service.pipeline.queue import Priority

_NEWEST = 0.1  # weight of the newest answer in the running mean
_POOL = ("decode", "prepare", "group", "encode")  # stages that run in the pool's threads


class Forecast:
    """A running mean of what the stages beside the engine take. It lives on the event loop."""

    def __init__(self, workers: int):
        """Start knowing nothing; `workers` share those stages."""
        self._workers = workers
        self._pool_s: float | None = None

    def learn(self, timings_ms: Mapping[str, float]) -> None:
        """Take an answer into the mean."""
        spent = sum(timings_ms.get(stage, 0.0) for stage in _POOL) / 1000
        known = spent if self._pool_s is None else self._pool_s
        self._pool_s = known + _NEWEST * (spent - known)

    def wait_s(self, batcher: Batcher[Any, Any], ahead: int, priority: Priority = Priority.BATCH) -> float:
        """Seconds until so many photographs are done; 0 while nothing is known.

        Engine and pool work beside each other, so the slower of them sets the pace.
        """
        each = max(batcher.expected_item_s(), (self._pool_s or 0.0) / self._workers)
        return max(batcher.expected_wait_s(priority), ahead * each)

    def answer_s(self, batcher: Batcher[Any, Any], ahead: int, priority: Priority) -> float:
        """Seconds until a photograph that comes now is answered."""
        return self.wait_s(batcher, ahead, priority) + batcher.expected_item_s() + (self._pool_s or 0.0)
