"""The server: uvicorn's, with an end in phases of our own.

A first SIGTERM begins the lame duck: not ready, so that balancers look elsewhere, and still serving. Then it drains:
nothing new is taken, and what was accepted is answered. Ctrl-C drains at once; every further signal ends the phase.
Uvicorn alone would close the listener and all idle connections at the first signal.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn

from service.http.readiness import Readiness
from service.listener import begin_no_more
from service.settings import Settings

ENGINE_LOST = 3  # exit code where the engine hangs or fails for good

_HANDSHAKE_S = 0.05  # time for connections that have begun to be accepted
_SETTLE_S = 0.5  # time for requests that are on their way on open connections
_LOST_S = 1.0  # time in which probes and callers are told that the engine is lost
_CLOSE_S = 10.0  # for a model that is still being loaded, or whose engine hangs
_TICK_S = 0.02

log = logging.getLogger("panoptic")


class Server(uvicorn.Server):
    """Owns the process's signals and the phases of its end."""

    def __init__(
        self,
        config: uvicorn.Config,
        settings: Settings,
        readiness: Readiness,
        listener: socket.socket,
        on_hangup: Callable[[], None],
    ):
        """Make a server that is run by `run`.

        Args:
            on_hangup: called on the event loop at SIGHUP.
        """
        super().__init__(config)
        self._settings = settings
        self._readiness = readiness
        self._listener = listener
        self._on_hangup = on_hangup
        self._hurry = asyncio.Event()
        self._end: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals for as long as the server runs; afterwards they are ignored, the process ends anyway."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)

    def stop(self, number: int = signal.SIGINT) -> None:
        """Begin the end, or hurry it."""
        if self._end is not None:
            log.warning("%s: the end is hurried", signal.Signals(number).name)
            self._hurry.set()
            return
        lame_duck_s = self._settings.lame_duck_s if number == signal.SIGTERM else 0.0
        self._end = asyncio.create_task(self._leave(lame_duck_s))

    def lose_engine(self) -> None:
        """Answer all that waits for the engine, and end; there is nothing to drain."""
        for task in set(self.server_state.tasks):
            task.cancel()
        if self._end is None:
            self._end = asyncio.create_task(self._leave(_LOST_S))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, and close what is left."""
        began = begin_no_more(self._listener)
        await asyncio.sleep(_HANDSHAKE_S if began else 0)
        for server in self.servers:
            server.close()
        settled = asyncio.get_running_loop().time() + _SETTLE_S
        await self._wait(self._settings.drain_s, lambda: self._is_done(settled))
        await self._cut_short()
        self.config.timeout_graceful_shutdown = 1  # for callers who do not read their answers
        try:
            await asyncio.wait_for(super().shutdown(sockets), _CLOSE_S)
        except TimeoutError:
            log.critical("the model does not come to an end; the process ends without it")
            _exit(0 if self._readiness.predictor is None else ENGINE_LOST)
        if self._readiness.lost:
            _exit(ENGINE_LOST)

    def _is_done(self, settled: float) -> bool:
        """Whether nothing is under way, nor may still be on its way on a connection that is open."""
        state = self.server_state
        return not state.tasks and (not state.connections or asyncio.get_running_loop().time() > settled)

    async def _leave(self, lame_duck_s: float) -> None:
        self._readiness.leave()
        if self._readiness.state != "stopping":
            await self._wait(lame_duck_s, lambda: False)
        self._readiness.stop()
        self.should_exit = True

    async def _wait(self, seconds: float, done: Callable[[], bool]) -> None:
        """Wait until it is done, the time is over, or a signal hurries; the next phase waits anew."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not done() and not self._hurry.is_set() and loop.time() < until:
            await asyncio.sleep(_TICK_S)
        self._hurry.clear()

    async def _cut_short(self) -> None:
        """End what is still under way; each caller gets the problem that `Farewell` makes of it."""
        if tasks := set(self.server_state.tasks):
            log.error("%d requests were not answered in time and are cut short", len(tasks))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1)


def _exit(code: int) -> None:
    """End without waiting for threads: that of a lost engine never ends."""
    logging.shutdown()
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(code)
