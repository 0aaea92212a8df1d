"""Dynamic batching: what waits leaves together when the engine is free, in the size that the engine does best.

It knows nothing of images. The engine has one lane or more, each of which has one batch under way, in whatever thread
a pool lends it. Anyone may submit from any thread, and an event loop awaits `asyncio.wrap_future(batcher.submit(...))`,
whose cancellation drops the item if it has not left yet.
"""

import math
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal, TypeVar

from service.pipeline.pace import Pace
from service.pipeline.queue import Priority, Queue, Waiting, clock, slack

T = TypeVar("T")
R = TypeVar("R")

Reason = Literal["full", "idle", "deadline"]


class BatcherClosed(Exception):
    """The batcher takes no more items."""


@dataclass(frozen=True)
class Release(Generic[T]):
    """A batch that left and was run."""

    items: tuple[T, ...]
    waited_s: tuple[float, ...]  # of each item
    size: int  # allowed size that was run; above the number of items it was padded
    reason: Reason  # full: more waited; idle: all that waited; deadline: cut so that the first is in time
    seconds: float  # of the engine: from its start, or from the end of the batch before where that came later


class Batcher(Generic[T, R]):
    """Owns the queue before the engine, and its lanes.

    A batch leaves as soon as a lane is free: nothing is held back to wait for company. Its first item is the most
    urgent one, the others share its key; its size is the one that costs least an item, as measured. Items whose
    deadline passed or whose caller left are dropped. Where a batch fails, each of its items is run alone in its lane,
    so that only the guilty fail.

    The lanes of an engine share what computes: on a GPU they hide what stands around computing, on a processor the
    threads' waiting for each other. So a batch costs the time that it adds, and one that starts behind another is
    expected to end after it.
    """

    def __init__(
        self,
        run: Callable[[list[T], int], list[R]],
        *,
        key: Callable[[T], Hashable],
        weight: Callable[[T], int],
        pace: Pace,
        max_items: int,
        max_weight: int,
        ageing_s: float,
        on_release: Callable[[Release[T]], None],
        on_late: Callable[[int], None],
        begin: Callable[[Callable[[], None]], None],
        lanes: int = 1,
    ):
        """Begin with all lanes free.

        Args:
            run: items of one key, and the allowed size to run them in, to as many results as items, in order; called
                by as many threads at once as there are lanes.
            weight: of an item, in whatever `max_weight` counts.
            pace: allowed sizes and what is known of their times; it learns from every batch.
            max_items, max_weight, ageing_s: of the queue.
            on_release: called in the batch's thread after it, before its futures have their results.
            on_late: called with the number of items that were dropped because their deadline had passed.
            begin: a pool's way in: has one of its threads choose a batch and run it. The pool outlives the batcher.
            lanes: batches that may be under way at once.
        """
        self._run = run
        self._key = key
        self._weight = weight
        self._pace = pace
        self._queue: Queue[T, R] = Queue(max_items=max_items, max_weight=max_weight, ageing_s=ageing_s)
        self._on_release = on_release
        self._on_late = on_late
        self._changed = threading.Condition()
        self._closed = False
        self._busy_until = 0.0  # as expected, of the clock
        self._running: dict[int, float] = {}  # since when the batch of each busy lane runs
        self._ended = 0.0  # when the last batch did
        self._failures = 0
        self._last_key: Hashable | None = None
        self._begin = begin
        self._lanes = lanes
        self._idle = list(range(lanes))

    def submit(
        self, item: T, *, priority: Priority = Priority.INTERACTIVE, deadline: float = math.inf
    ) -> "Future[R]":
        """Queue an item.

        Args:
            deadline: of the monotonic clock, in seconds; once it has passed the future fails with DeadlinePassed.

        Raises:
            QueueFull: as many wait as may.
            BatcherClosed: `close` was called.
        """
        with self._changed:
            if self._closed:
                raise BatcherClosed("the batcher is closed")
            waiting: Waiting[T, R] = Waiting(
                item, self._key(item), self._weight(item), priority, deadline, since=clock()
            )
            self._queue.put(waiting)
            lane = self._idle.pop() if self._idle else None
        if lane is not None:
            self._begin(partial(self._work, lane))
        return waiting.future

    @property
    def depth(self) -> int:
        """Items that wait, those cancelled not counted."""
        with self._changed:
            return len(self._queue)

    def depth_of(self, priority: Priority) -> int:
        """Items of a priority that wait."""
        with self._changed:
            return sum(waiting.priority == priority for waiting in self._queue)

    @property
    def weight(self) -> int:
        """Of the items that wait."""
        with self._changed:
            return self._queue.weight

    @property
    def running_since(self) -> float | None:
        """When the oldest batch that runs now began, of the monotonic clock; None while the engine is idle."""
        with self._changed:
            return min(self._running.values(), default=None)

    @property
    def failures(self) -> int:
        """Batches that failed one after another until now; 0 where the last one did not."""
        return self._failures

    def expected_wait_s(self, priority: Priority = Priority.BATCH) -> float:
        """Time until the engine has done what runs now and what waits, as the pace of earlier batches has it.

        Args:
            priority: what waits with a lower one is not counted: it leaves later.
        """
        with self._changed:
            before = [waiting for waiting in self._queue if waiting.priority <= priority]
            ahead = sum(self._pace.seconds_per_item(waiting.key) for waiting in before)
            now = clock()
            return self._free_at(now) - now + ahead

    def expected_item_s(self) -> float:
        """Time of one item where many wait, of the kind that ran last; 0 while nothing is known."""
        key = self._last_key
        return 0.0 if key is None else self._pace.seconds_per_item(key)

    def close(self) -> None:
        """Take no more items, and wait until those that wait have been run."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: len(self._idle) == self._lanes)

    def _work(self, lane: int) -> None:
        """Run a batch in a lane, and have the next one run where more waits."""
        try:
            if batch := self._next_batch(lane):
                self._run_batch(lane, *batch)
        finally:
            self._go_on(lane)

    def _go_on(self, lane: int) -> None:
        with self._changed:
            more = bool(self._queue)
            if not more:
                self._idle.append(lane)
                self._changed.notify_all()
        if more:
            self._begin(partial(self._work, lane))

    def _next_batch(self, lane: int) -> tuple[list[Waiting[T, R]], int, Reason] | None:
        """Choose among those that wait; None where nobody does any more."""
        with self._changed:
            now = clock()
            if late := self._queue.drop_late(now):
                self._on_late(late)
            while alike := self._queue.alike(now):
                begins = self._free_at(now)
                size, reason = self._choose(alike, begins)
                if taken := self._queue.take(alike[:size]):
                    self._busy_until = begins + self._pace.seconds(taken[0].key, size)
                    self._running[lane] = now
                    return taken, size, reason
        return None

    def _free_at(self, now: float) -> float:
        """When the engine has computed what was given to it, as expected: now where nothing runs."""
        return max(now, self._busy_until) if self._running else now

    def _choose(self, alike: list[Waiting[T, R]], begins: float) -> tuple[int, Reason]:
        key, count = alike[0].key, len(alike)
        best = self._pace.choose(key, count, within=math.inf)
        size = self._pace.choose(key, count, within=slack(alike[:best], begins))
        if size < best:
            return size, "deadline"
        return size, "full" if size < count else "idle"

    def _run_batch(self, lane: int, batch: list[Waiting[T, R]], size: int, reason: Reason) -> None:
        begun = clock()
        try:
            results = self._run([waiting.item for waiting in batch], size)
            if len(results) != len(batch):
                raise ValueError(f"{len(batch)} items were run, {len(results)} results came back")
        except Exception as error:
            self._end(lane, failed=True)
            self._run_alone(lane, batch, error)
            return
        seconds = self._end(lane, failed=False)
        with self._changed:
            self._last_key = batch[0].key
            self._pace.learn(self._last_key, size, seconds)
        items = tuple(waiting.item for waiting in batch)
        waited_s = tuple(begun - waiting.since for waiting in batch)
        self._on_release(Release(items, waited_s, size, reason, seconds))
        for waiting, result in zip(batch, results, strict=True):
            waiting.future.set_result(result)

    def _end(self, lane: int, *, failed: bool) -> float:
        """A lane's batch is done: the seconds of the engine that it took."""
        with self._changed:
            now = clock()
            seconds = now - max(self._running.pop(lane), self._ended)
            self._ended = now
            self._failures = self._failures + 1 if failed else 0
            return seconds

    def _run_alone(self, lane: int, batch: list[Waiting[T, R]], error: Exception) -> None:
        if len(batch) == 1:
            batch[0].future.set_exception(error)
            return
        for waiting in batch:
            with self._changed:
                self._running[lane] = clock()
            self._run_batch(lane, [waiting], self._pace.sizes[0], "full")
