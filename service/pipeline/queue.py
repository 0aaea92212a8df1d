"""The queue before the engine: who waits, in which order they leave, and who is dropped first."""

import enum
import math
import time
from collections.abc import Hashable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class QueueFull(Exception):
    """As many items wait as may, by number or by weight."""


class DeadlinePassed(Exception):
    """The item's deadline passed before the engine was free."""


class Priority(enum.IntEnum):
    """Who leaves first."""

    INTERACTIVE = 0  # someone waits
    BATCH = 1  # nobody does; until it has waited as long as `Queue` allows


@dataclass(frozen=True, eq=False)
class Waiting(Generic[T, R]):
    """An item in the queue."""

    item: T
    key: Hashable  # only items of one key share a batch
    weight: int
    priority: Priority
    deadline: float  # of the monotonic clock, in seconds; infinity is none
    since: float
    future: "Future[R]" = field(default_factory=Future)


class Queue(Generic[T, R]):
    """Items that wait, ordered by priority, then deadline, then arrival. It is not for several threads at once."""

    def __init__(self, *, max_items: int, max_weight: int, ageing_s: float):
        """Start empty.

        Args:
            ageing_s: an item of priority BATCH that waited so long is taken like an interactive one.
        """
        self._max_items = max_items
        self._max_weight = max_weight
        self._ageing_s = ageing_s
        self._items: list[Waiting[T, R]] = []

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Waiting[T, R]]:
        """Those that still wait, in the order of arrival."""
        return (waiting for waiting in self._items if not waiting.future.cancelled())

    @property
    def weight(self) -> int:
        """Of all that wait."""
        return sum(waiting.weight for waiting in self)

    def put(self, waiting: Waiting[T, R]) -> None:
        """Add an item.

        Raises: QueueFull: the limits say no. One item is always taken, however heavy.
        """
        self._items = list(self)
        if len(self._items) >= self._max_items:
            raise QueueFull(f"{len(self._items)} items wait, as many as may")
        weight = self.weight
        if self._items and weight + waiting.weight > self._max_weight:
            raise QueueFull(f"weight {weight} waits, {waiting.weight} more would pass {self._max_weight}")
        self._items.append(waiting)

    def drop_late(self, now: float) -> int:
        """Drop those whose deadline passed and tell them; answer how many."""
        late = [waiting for waiting in self if waiting.deadline <= now]
        self._items = [waiting for waiting in self if waiting.deadline > now]
        return sum(_fail(waiting) for waiting in late)

    def alike(self, now: float) -> list[Waiting[T, R]]:
        """The first item and those of its key, in the order in which they leave; empty where none waits."""
        first = min(self, key=lambda waiting: self._rank(waiting, now), default=None)
        if first is None:
            return []
        same = [waiting for waiting in self if waiting.key == first.key]
        return sorted(same, key=lambda waiting: self._rank(waiting, now))

    def take(self, some: list[Waiting[T, R]]) -> list[Waiting[T, R]]:
        """Take these out; those cancelled at this moment are left out of the answer."""
        gone = set(some)
        self._items = [waiting for waiting in self._items if waiting not in gone]
        return [waiting for waiting in some if waiting.future.set_running_or_notify_cancel()]

    def _rank(self, waiting: Waiting[T, R], now: float) -> tuple[int, float, float]:
        aged = now - waiting.since >= self._ageing_s
        return (0 if aged else waiting.priority, waiting.deadline, waiting.since)


def slack(batch: list[Waiting[T, R]], now: float) -> float:
    """Seconds until the first deadline among them; infinity where there is none."""
    return min((waiting.deadline for waiting in batch), default=math.inf) - now


def clock() -> float:
    """The clock of deadlines: monotonic seconds."""
    return time.monotonic()


def _fail(waiting: Waiting[T, R]) -> bool:
    """Tell an item that it is too late; False where its caller left at this moment."""
    if not waiting.future.set_running_or_notify_cancel():
        return False
    waiting.future.set_exception(DeadlinePassed("the deadline passed before the engine was free"))
    return True
