"""The gate: how many photographs are decoded, wait for the engine or are merged at once, whatever was accepted.

An accepted photograph costs its body; one past the gate costs its picture in the network's size, its heads and, for an
overlay, itself. So the gate bounds the memory, and what waits before it can be dropped without any work.
"""

import asyncio

from service.pipeline.queue import Priority, Queue, Waiting, clock

_ENDLESS = 1 << 60  # admission bounds what may wait here


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

    async def enter(self, priority: Priority, deadline: float) -> None:
        """Wait for a place: by priority, then deadline, then arrival. `leave` gives it back."""
        if self._free:
            self._free -= 1
            return
        waiting: Waiting[None, None] = Waiting(None, None, 1, priority, deadline, since=clock())
        self._queue.put(waiting)
        try:
            await asyncio.wrap_future(waiting.future)
        except asyncio.CancelledError:
            if not waiting.future.cancel():  # the place was given at this moment
                self.leave()
            raise

    def leave(self) -> None:
        """Give a place back: to the first who waits."""
        for waiting in self._queue.alike(clock()):
            if self._queue.take([waiting]):
                waiting.future.set_result(None)
                return
        self._free += 1
