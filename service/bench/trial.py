"""A trial: one run of load on a server, watched, as figures."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from service.bench.connection import Target
from service.bench.figures import Figures, summarize
from service.bench.load import OK, Sample, closed_loop, open_loop, poisson
from service.bench.process import Watch
from service.settings import SettingsError

OPEN_CONNECTIONS = 256  # of an open loop, at most


@dataclass(frozen=True)
class Trial:
    """What is asked of which server."""

    target: Target
    requests: Sequence[bytes]
    pid: int | None = None  # of the server, where it runs on this machine
    seed: int = 0  # of the arrivals

    def warm(self) -> None:
        """Send every request once, before anything is measured.

        Raises: SettingsError: one is not answered, or there is no process `pid`.
        """
        if self.pid is not None:
            Watch(self.pid)
        for sample in asyncio.run(self._once()):
            if sample.status != OK:
                where = f"http://{self.target.authority}{self.target.path}"
                raise SettingsError(f"{where} answers {sample.status} to a photograph of this load, not 200.")

    def closed(self, connections: int, seconds: float) -> Figures:
        """Callers that wait for their answers."""
        run = closed_loop(self.target, self.requests, connections=connections, seconds=seconds)
        return asyncio.run(self._watched(run, "closed", connections))

    def open(self, rate: float, seconds: float) -> Figures:
        """Arrivals that wait for nobody; `offered` is the rate that really came."""
        arrivals = poisson(rate, seconds, self.seed)
        run = open_loop(self.target, self.requests, arrivals=arrivals, connections=OPEN_CONNECTIONS)
        return asyncio.run(self._watched(run, "open", len(arrivals) / seconds))

    async def _watched(self, run: Coroutine[None, None, list[Sample]], loop: str, offered: float) -> Figures:
        watch = Watch(self.pid) if self.pid is not None else None
        async with watch or nullcontext():
            samples = await run
        return summarize(samples, loop=loop, offered=offered, usage=watch.usage if watch else None)

    async def _once(self) -> list[Sample]:
        arrivals = np.zeros(len(self.requests))
        return await open_loop(self.target, self.requests, arrivals=arrivals, connections=1)
