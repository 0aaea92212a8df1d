"""The gate: how many photographs are decoded, wait for the engine or are merged at once, whatever was accepted.

An accepted photograph costs its body; one past the gate costs its picture in the network's size, its heads and, for an
overlay, itself. So the gate bounds the memory, and what waits before it can be dropped without any work.
"""

from concurrent.futures import Future

from service.pipeline.queue import Priority, Queue, Waiting, clock
from service.pipeline.relay import done

_ENDLESS = 1 << 60  # admission bounds what may wait here

Place = Future[None]
"""Done as soon as it may be taken."""


class Gate:
    """Places past the gate. It lives on the event loop."""

    def __init__(self, places: int, *, ageing_s: float):
        """Open with all places free; `ageing_s` is the queue's."""
        self._free = places
        self._queue: Queue[None, None] = Queue(max_items=_ENDLESS, max_weight=_ENDLESS, ageing_s=ageing_s)

    @property
    def waiting(self) -> int:
        """Photographs before the gate."""
        return len(self._queue)

    @property
    def is_crowded(self) -> bool:
        """Whether anybody waits."""
        return bool(self._queue)

    def enter(self, priority: Priority, deadline: float) -> Place:
        """Ask for a place: by priority, then deadline, then arrival. `leave` gives it back, had or not."""
        if self._free:
            self._free -= 1
            return done(None)
        waiting: Waiting[None, None] = Waiting(None, None, 1, priority, deadline, since=clock())
        self._queue.put(waiting)
        return waiting.future

    def leave(self, place: Place) -> None:
        """Give a place back, to the first who waits, or stop waiting for it."""
        if place.cancel():
            return
        if first := self._queue.take_first(clock()):
            first.future.set_result(None)
        else:
            self._free += 1
