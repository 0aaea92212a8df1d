"""Load: requests in a closed loop, where callers wait for answers, or in an open one, where arrivals don't wait."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.bench.connection import FAILURE, Connection, Target

OK = "200"
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Sample:
    """One request; times are seconds of `time.perf_counter`."""

    due: float  # when it was to be sent: latency counts from here, however long it waited for a connection
    ended: float
    status: str  # a number of HTTP, `timeout`, or the name of what broke


async def closed_loop(
    target: Target, requests: Sequence[bytes], *, connections: int, seconds: float
) -> list[Sample]:
    """Send from so many connections, each the next request when its last one is answered.

    Each begins with another request and takes them in turns. What is under way at the end is waited for.
    """
    samples: list[Sample] = []
    end = time.perf_counter() + seconds

    async def caller(turn: int) -> None:
        connection = Connection(target)
        while (due := time.perf_counter()) < end:
            samples.append(await _ask(connection, requests[turn % len(requests)], due))
            turn += connections
        connection.close()

    await asyncio.gather(*(caller(index) for index in range(connections)))
    return samples


async def open_loop(
    target: Target, requests: Sequence[bytes], *, arrivals: NDArray[np.float64], connections: int
) -> list[Sample]:
    """Send each request at its own time, whether or not earlier ones are answered.

    Args:
        arrivals: ascending seconds from the beginning; the requests are taken in turns.
        connections: open at once, at most. A request that finds none free waits, and its latency counts on.
    """
    samples: list[Sample] = []
    idle: list[Connection] = []
    gate = asyncio.Semaphore(connections)

    async def one(request: bytes, due: float) -> None:
        async with gate:
            connection = idle.pop() if idle else Connection(target)
            samples.append(await _ask(connection, request, due))
            idle.append(connection)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for index, arrival in enumerate(arrivals.tolist()):
            due = begun + arrival
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            group.create_task(one(requests[index % len(requests)], due))
    for connection in idle:
        connection.close()
    return samples


def poisson(rate: float, seconds: float, seed: int = 0) -> NDArray[np.float64]:
    """Arrivals of callers who know nothing of each other: ascending seconds, at least one, the same for a seed.

    Args:
        rate: a second, in the mean.
    """
    rng = np.random.default_rng(seed)
    count = max(1, int(rng.poisson(rate * seconds)))
    return np.sort(rng.uniform(0, seconds, count))


async def _ask(connection: Connection, request: bytes, due: float) -> Sample:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            status = str(await connection.exchange(request))
    except TimeoutError:
        connection.close()
        status = "timeout"
    except FAILURE as error:
        connection.close()
        status = type(error).__name__
        await asyncio.sleep(0.01)  # a server that refuses would be asked in a busy loop
    return Sample(due, time.perf_counter(), status)
