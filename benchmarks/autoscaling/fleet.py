"""The fleet: pods that start, take their share of what comes, answer it in batches, refuse what is too much, and stop.

One step is a second. A request goes to a ready pod by chance, so what comes to a pod is Poisson. What it finds waiting
there, over the pod's pace, is its wait. Refused is what finds the queue full, or no pod.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.autoscaling.pod import Floats, Pod

WINDOW_S = 15.0  # of the running means that pods tell, as service/saturation.py
SHORT_S = 5.0  # of a mean that pods might tell
_KEPT = ("queue", "offered", "offered_lately", "busy", "held")  # of each ready pod


@dataclass
class Second:
    """What came of one second."""

    latencies: Floats  # s, one for each pod
    answered: Floats  # requests that will have it
    refused: float


@dataclass
class Fleet:
    """Owns the pods. Arrays have one place for each ready pod, the oldest first."""

    pod: Pod
    rng: np.random.Generator
    now: float = 0.0
    starting: list[float] = field(default_factory=list)  # when each will be ready
    born: Floats = field(default_factory=lambda: np.empty(0))
    queue: Floats = field(default_factory=lambda: np.empty(0))
    offered: Floats = field(default_factory=lambda: np.empty(0))  # running means, images a second
    offered_lately: Floats = field(default_factory=lambda: np.empty(0))
    busy: Floats = field(default_factory=lambda: np.empty(0))
    held: Floats = field(default_factory=lambda: np.empty(0))  # images, waiting and in work

    @property
    def size(self) -> int:
        """Pods, ready or not."""
        return len(self.queue) + len(self.starting)

    def scale(self, count: int) -> None:
        """Start or stop pods; those that are not ready go first, then the youngest."""
        self.starting += [self.now + self.pod.start_s] * (count - self.size)
        while self.starting and self.size > count:
            self.starting.pop()
        if self.size > count:
            self._keep(np.arange(count))

    def lose(self, share: float) -> None:
        """Ready pods are gone, and their place is filled by new ones."""
        gone = round(len(self.queue) * share)
        self._keep(np.arange(gone, len(self.queue)))
        self.starting += [self.now + self.pod.start_s] * gone

    def retire_oldest(self) -> None:
        """One ready pod stops."""
        self._keep(np.arange(1, len(self.queue)))

    def step(self, rate: float) -> Second:
        """Let one second pass."""
        self.now += 1
        self._admit_started()
        count = len(self.queue)
        if not count:
            return Second(np.empty(0), np.empty(0), rate)
        came = self.rng.poisson(rate / count, count).astype(float)
        room = np.maximum(self.pod.max_queue + self.pod.rate(self.queue) - self.queue, 0)
        taken = np.minimum(came, room)
        before = self.queue + taken / 2  # what the middle one of this second finds, less what left meanwhile
        pace = self.pod.rate(self.queue + taken)
        found = np.maximum(before - pace / 2, 0)
        latencies = found / pace + self.pod.seconds(np.maximum(found, 1))
        done = np.minimum(self.queue + taken, pace)
        self.queue = self.queue + taken - done
        self._remember(came, done / pace, self.queue + done * self.pod.seconds(np.ones(count)))
        return Second(latencies, taken, float((came - taken).sum()))

    def _remember(self, came: Floats, busy: Floats, held: Floats) -> None:
        weight = 1 - np.exp(-1 / WINDOW_S)
        self.offered += weight * (came - self.offered)
        self.offered_lately += (1 - np.exp(-1 / SHORT_S)) * (came - self.offered_lately)
        self.busy += weight * (busy - self.busy)
        self.held += weight * (held - self.held)

    def _admit_started(self) -> None:
        started = [when for when in self.starting if when <= self.now]
        self.starting = [when for when in self.starting if when > self.now]
        new = np.zeros(len(started))
        for name in _KEPT:
            setattr(self, name, np.concatenate([getattr(self, name), new]))
        self.born = np.concatenate([self.born, new + self.now])

    def _keep(self, which: NDArray[np.int_]) -> None:
        for name in (*_KEPT, "born"):
            setattr(self, name, getattr(self, name)[which])
