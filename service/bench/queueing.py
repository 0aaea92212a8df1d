"""Queueing: how long a queue alone would let callers wait, were every photograph's service the same.

M/D/c on the very arrivals that were sent: c servers, the processor's cores, each busy a constant time with a
photograph, so long that all together reach the measured capacity. What a caller then sees is the wait in that queue
and the way through the stages as it was measured without any load. What the real server needs more is its own doing:
stages that hinder each other, batches, locks, a scheduler.
"""

import heapq

import numpy as np
from numpy.typing import NDArray


def waits(arrivals: NDArray[np.float64], *, servers: int, service_s: float) -> NDArray[np.float64]:
    """Seconds that each arrival waits for a server, first come, first served.

    Args:
        arrivals: ascending seconds.
        service_s: of every one.
    """
    free = [0.0] * servers  # when each server is free again
    found = np.empty(len(arrivals))
    for index, arrival in enumerate(arrivals.tolist()):
        begun = max(arrival, free[0])
        heapq.heapreplace(free, begun + service_s)
        found[index] = begun - arrival
    return found


def predicted_ms(
    arrivals: NDArray[np.float64], *, servers: int, capacity: float, unloaded_ms: float
) -> NDArray[np.float64]:
    """Latency of each arrival as the queue predicts it.

    A photograph alone may have several cores and be through sooner than one server of the queue, which then counts.

    Args:
        capacity: images a second, of all servers together.
        unloaded_ms: a photograph's way where no other is there: the sum of its stages' times.
    """
    service_s = servers / capacity
    return waits(arrivals, servers=servers, service_s=service_s) * 1000 + max(unloaded_ms, service_s * 1000)
