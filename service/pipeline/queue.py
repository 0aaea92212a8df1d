"""The queue before the engine: who waits, in which order they leave, and who is dropped first."""

import enum
import itertools
import math
import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_Rank = tuple[int, float, float, int]
"""Priority, deadline, arrival and its number."""

_FEW = 64


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
    """Items that wait, ordered by priority, then deadline, then arrival. It is not for several threads at once.

    Whoever comes takes its place in that order, so that to come and to be taken as the first costs next to nothing more
    where many wait. Those that were cancelled stay until they would be the first, or are more than the others.
    """

    def __init__(self, *, max_items: int, max_weight: int, ageing_s: float):
        """Start empty.

        Args:
            ageing_s: an item of priority BATCH that waited so long is taken like an interactive one.
        """
        self._max_items = max_items
        self._max_weight = max_weight
        self._ageing_s = ageing_s
        self._numbers = itertools.count()  # no two ranks are equal
        self._ranked: list[tuple[_Rank, Waiting[T, R]]] = []  # in the order in which they leave
        self._ageing: deque[_Rank] = (
            deque()
        )  # of priority BATCH, in order of arrival, some that have left too
        self._weight = 0  # of all that are there, those cancelled too
        self._most = _FEW  # there may be, before those that have left are looked for

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None

    def __iter__(self) -> Iterator[Waiting[T, R]]:
        """Those that still wait, in the order in which they leave."""
        return (waiting for _, waiting in self._ranked if not waiting.future.cancelled())

    @property
    def weight(self) -> int:
        """Of all that wait."""
        return sum(waiting.weight for waiting in self)

    def put(self, waiting: Waiting[T, R]) -> None:
        """Add an item.

        Raises: QueueFull: the limits say no. One item is always taken, however heavy.
        """
        self._make_room(waiting.weight)
        rank = (waiting.priority, waiting.deadline, waiting.since, next(self._numbers))
        insort(self._ranked, (rank, waiting))
        self._weight += waiting.weight
        if waiting.priority is Priority.BATCH:
            self._ageing.append(rank)

    def drop_late(self, now: float) -> int:
        """Drop those whose deadline passed and tell them; answer how many."""
        late = [waiting for waiting in self if waiting.deadline <= now]
        self._keep(lambda waiting: waiting.deadline > now)
        return sum(_fail(waiting) for waiting in late)

    def alike(self, now: float) -> list[Waiting[T, R]]:
        """The first item and those of its key, in the order in which they leave; empty where none waits."""
        self._age(now)
        first = next(iter(self), None)
        return [] if first is None else [waiting for waiting in self if waiting.key == first.key]

    def take(self, some: list[Waiting[T, R]]) -> list[Waiting[T, R]]:
        """Take these out; those cancelled at this moment are left out of the answer."""
        gone = set(some)
        self._keep(lambda waiting: waiting not in gone)
        return [waiting for waiting in some if waiting.future.set_running_or_notify_cancel()]

    def take_first(self, now: float) -> Waiting[T, R] | None:
        """Take the first item out, where one waits."""
        self._age(now)
        while self._ranked:
            _, waiting = self._ranked.pop(0)
            self._weight -= waiting.weight
            if waiting.future.set_running_or_notify_cancel():
                return waiting
        return None

    def _make_room(self, weight: int) -> None:
        most = min(self._most, self._max_items)
        if max(len(self._ranked), len(self._ageing)) < most and self._weight + weight <= self._max_weight:
            return
        self._keep(lambda waiting: True)
        self._most = max(_FEW, 2 * len(self._ranked))
        if len(self._ranked) >= self._max_items:
            raise QueueFull(f"{len(self._ranked)} items wait, as many as may")
        if self._ranked and self._weight + weight > self._max_weight:
            raise QueueFull(f"weight {self._weight} waits, {weight} more would pass {self._max_weight}")

    def _keep(self, stays: Callable[[Waiting[T, R]], bool]) -> None:
        """Let go all others, and those that were cancelled."""
        self._ranked = [
            (rank, waiting)
            for rank, waiting in self._ranked
            if stays(waiting) and not waiting.future.cancelled()
        ]
        self._weight = sum(waiting.weight for _, waiting in self._ranked)
        there = {rank for rank, _ in self._ranked}
        self._ageing = deque(rank for rank in self._ageing if rank in there)

    def _age(self, now: float) -> None:
        """Rank those anew who have waited long enough."""
        while self._ageing and now - self._ageing[0][2] >= self._ageing_s:
            rank = self._ageing.popleft()
            place = bisect_left(self._ranked, rank, key=itemgetter(0))
            if place < len(self._ranked) and self._ranked[place][0] == rank:
                _, waiting = self._ranked.pop(place)
                insort(self._ranked, ((Priority.INTERACTIVE, *rank[1:]), waiting))


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
