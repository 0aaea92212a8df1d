"""Single flight: callers who send the same photograph at the same time share its decoding and one run of the network.

Each of them merges and writes for itself, so that options, form, request id and timings are its own. A caller that
leaves ends the run only when it was the last.
"""

from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from service.http.gate import Place
from service.pipeline.predictor import Prepared
from service.pipeline.runs import Ran


@dataclass(frozen=True)
class Seen:
    """A photograph as the network saw it, and what the network said."""

    prepared: Prepared
    ran: Ran
    kept: bool = False  # whether it comes from the cache


class Flight:
    """One run, and those who wait for it: past the gate, decoded, in the network, seen."""

    place: Place  # past the gate
    seen: "Future[Seen]"
    submitted: "Future[Ran] | None" = None  # to the engine

    def __init__(self) -> None:
        self.callers = 0
        self._ended = False

    @property
    def stage(self) -> str:
        """What it is at, or ended at: wait, decode, queue, infer; merge where its callers are."""
        if self.seen.done() and not self.failed:
            return "merge"
        if self.submitted is not None:
            return "infer" if self.submitted.running() else "queue"
        return "decode" if self.place.done() and not self.place.cancelled() else "wait"

    @property
    def failed(self) -> bool:
        """Whether there is nothing to wait for any more."""
        return self.seen.done() and (self.seen.cancelled() or self.seen.exception() is not None)

    def submit(self, submitted: "Future[Ran]") -> "Future[Ran]":
        """It is queued for the engine, unless nobody waits any more; told by the thread that decoded it."""
        self.submitted = submitted
        if self._ended:
            submitted.cancel()
        return submitted

    def end(self) -> None:
        """Nobody waits any more: what has not begun is dropped."""
        self._ended = True
        self.seen.cancel()
        if self.submitted is not None:
            self.submitted.cancel()


class Flights:
    """The runs that somebody waits for, by what makes them equal. It lives on the event loop."""

    def __init__(self, leave: Callable[[Place], None]):
        """Start with none; `leave` gives a flight's place back, when its last caller has left."""
        self._leave = leave
        self._flights: dict[Hashable, Flight] = {}

    @contextmanager
    def join(self, key: Hashable, begin: Callable[[Flight], None]) -> Iterator[tuple[Flight, bool]]:
        """Be one of the callers of the run of this key, and of its first to begin it.

        Args:
            begin: asks for a flight's place, and tells what it will have seen.

        Yields: the flight, and whether it was there before.
        """
        flight = self._flights.get(key)
        joined = flight is not None and not flight.failed
        if flight is None or not joined:
            flight = self._flights[key] = Flight()
            begin(flight)
        flight.callers += 1
        try:
            yield flight, joined
        finally:
            flight.callers -= 1
            if not flight.callers:
                if self._flights.get(key) is flight:
                    del self._flights[key]
                flight.end()
                self._leave(flight.place)
