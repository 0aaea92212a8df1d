"""Single flight: callers who send the same photograph at the same time share its decoding and one run of the network.

Each of them merges and writes for itself, so that options, form, request id and timings are its own. A caller that
leaves ends the run only when it was the last.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from service.pipeline.predictor import Prepared
from service.pipeline.runs import Ran


@dataclass(frozen=True)
class Seen:
    """A photograph as the network saw it, and what the network said."""

    prepared: Prepared
    ran: Ran
    kept: bool = False  # whether it comes from the cache


class Flight:
    """One run, and those who wait for it."""

    def __init__(self, on_end: Callable[[], None]):
        self.callers = 0
        self.submitted: Future[Ran] | None = None  # to the engine; written by the run
        self._inside = False  # whether it holds a place past the gate
        self._on_end = on_end
        self._task: asyncio.Task[Seen] | None = None

    def depart(self, run: Coroutine[Any, Any, Seen]) -> None:
        """Begin the run."""
        self._task = asyncio.create_task(run)
        self._task.add_done_callback(_retrieve)

    def enter(self) -> None:
        """It is past the gate."""
        self._inside = True

    @property
    def stage(self) -> str:
        """What it is at: wait, decode, queue or infer."""
        if self.submitted is not None:
            return "infer" if self.submitted.running() else "queue"
        return "decode" if self._inside else "wait"

    @property
    def failed(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self._task is not None and self._task.done() and _retrieve(self._task)

    async def seen(self) -> Seen:
        """Wait for the run; who stops waiting does not stop it."""
        assert self._task is not None
        return await asyncio.shield(self._task)

    def end(self) -> None:
        """Nobody waits any more."""
        assert self._task is not None
        self._task.cancel()
        if self._inside:
            self._on_end()


class Flights:
    """The runs that somebody waits for, by what makes them equal. It lives on the event loop."""

    def __init__(self, on_end: Callable[[], None]):
        """Start with none; `on_end` is called for each that got past the gate, when its last caller has left."""
        self._on_end = on_end
        self._flights: dict[Hashable, Flight] = {}

    @asynccontextmanager
    async def join(
        self, key: Hashable, run: Callable[[Flight], Coroutine[Any, Any, Seen]]
    ) -> AsyncIterator[tuple[Flight, bool]]:
        """Be one of the callers of the run of this key, and of its first to begin it.

        Yields: the flight, and whether it was there before.
        """
        flight = self._flights.get(key)
        joined = flight is not None and not flight.failed
        if flight is None or not joined:
            flight = self._flights[key] = Flight(self._on_end)
            flight.depart(run(flight))
        flight.callers += 1
        try:
            yield flight, joined
        finally:
            flight.callers -= 1
            if not flight.callers:
                if self._flights.get(key) is flight:
                    del self._flights[key]
                flight.end()


def _retrieve(task: "asyncio.Task[Seen]") -> bool:
    """Whether a run that ended failed; asyncio complains of errors that nobody looked at."""
    return task.cancelled() or task.exception() is not None
