"""Dynamic batching: whatever waits leaves together when the engine is free.

It knows nothing of images. One thread owns the engine; anyone may submit from any thread, and an event loop awaits
`asyncio.wrap_future(batcher.submit(...))`, whose cancellation drops the item if it has not left yet.
"""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_SMOOTHING = 0.2  # weight of the newest batch in the running mean


class QueueFull(Exception):
    """As many items wait as may."""


class BatcherClosed(Exception):
    """The batcher takes no more items."""


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[T, R]):
    item: T
    key: Hashable
    future: Future[R] = field(default_factory=Future)


class Batcher(Generic[T, R]):
    """Owns the engine's thread and the queue before it.

    A batch leaves as soon as the engine is free, oldest item first, with those that wait and share its key; its size
    is the largest allowed one that they fill, so nothing is padded and nothing is held back. Where a batch fails,
    each of its items is run alone, so that only the guilty fail.
    """

    def __init__(
        self,
        run: Callable[[list[T]], list[R]],
        *,
        key: Callable[[T], Hashable],
        sizes: tuple[int, ...],
        max_queue: int,
    ):
        """Start the engine's thread.

        Args:
            run:   items of one key to as many results, in order.
            sizes: allowed batch sizes; 1 is among them.
            max_queue: items that may wait.
        """
        self._run = run
        self._key = key
        self._sizes = sorted(sizes, reverse=True)
        self._max_queue = max_queue
        self._queue: list[_Waiting[T, R]] = []
        self._changed = threading.Condition()
        self._closed = False
        self._seconds_per_item = 0.0
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def submit(self, item: T) -> "Future[R]":
        """Queue an item.

        Raises:
            QueueFull: `max_queue` items wait.
            BatcherClosed: `close` was called.
        """
        with self._changed:
            if self._closed:
                raise BatcherClosed("the batcher is closed")
            self._queue = [waiting for waiting in self._queue if not waiting.future.cancelled()]
            if len(self._queue) >= self._max_queue:
                raise QueueFull(f"{len(self._queue)} items wait, as many as may")
            waiting: _Waiting[T, R] = _Waiting(item, self._key(item))
            self._queue.append(waiting)
            self._changed.notify()
        return waiting.future

    @property
    def depth(self) -> int:
        """Items that wait, those cancelled not counted."""
        with self._changed:
            return sum(not waiting.future.cancelled() for waiting in self._queue)

    @property
    def seconds_per_item(self) -> float:
        """A running mean of the engine's time for an item; 0 before the first."""
        return self._seconds_per_item

    def close(self) -> None:
        """Take no more items, run those that wait, end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next_batch():
            begun = time.perf_counter()
            self._run_batch(batch)
            spent = (time.perf_counter() - begun) / len(batch)
            share = _SMOOTHING if self._seconds_per_item else 1.0
            self._seconds_per_item += share * (spent - self._seconds_per_item)

    def _next_batch(self) -> list[_Waiting[T, R]]:
        """Wait for items; the list is empty when the batcher is closed and nothing is left."""
        with self._changed:
            while True:
                self._queue = [waiting for waiting in self._queue if not waiting.future.cancelled()]
                if self._queue and (batch := self._take()):
                    return batch
                if not self._queue and self._closed:
                    return []
                if not self._queue:
                    self._changed.wait()

    def _take(self) -> list[_Waiting[T, R]]:
        """Take the oldest items of one key; those cancelled at this moment are dropped."""
        alike = [waiting for waiting in self._queue if waiting.key == self._queue[0].key]
        taken = set(alike[: self._allowed(len(alike))])
        self._queue = [waiting for waiting in self._queue if waiting not in taken]
        return [
            waiting for waiting in alike if waiting in taken and waiting.future.set_running_or_notify_cancel()
        ]

    def _allowed(self, count: int) -> int:
        """The largest allowed size that `count` items fill."""
        return next(size for size in self._sizes if size <= count)

    def _run_batch(self, batch: list[_Waiting[T, R]]) -> None:
        """Run items; a cancellation at the last moment may have left a number that is no allowed size."""
        while batch:
            size = self._allowed(len(batch))
            self._run_part(batch[:size])
            batch = batch[size:]

    def _run_part(self, part: list[_Waiting[T, R]]) -> None:
        try:
            results = self._run([waiting.item for waiting in part])
            if len(results) != len(part):
                raise ValueError(f"{len(part)} items were run, {len(results)} results came back")
        except Exception as error:
            if len(part) == 1:
                part[0].future.set_exception(error)
                return
            for waiting in part:
                self._run_part([waiting])
            return
        for waiting, result in zip(part, results, strict=True):
            waiting.future.set_result(result)
