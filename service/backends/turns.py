"""Turns: which of a runtime's programs computes a batch, the one that has all threads or one that shares them.

One batch alone is computed by all threads. Beside another one a batch does better without them: two that are computed
whole, each by threads of its own, wait for nobody, where the threads of one batch wait for each other after every
operator.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

LANES = 2
SLOW = 1.0  # seconds a picture from which a batch has all threads for itself


class Turns(Generic[T]):
    """Owns the programs, and lends each to one thread at a time, of as many as there are lanes."""

    def __init__(self, alone: T, share: Callable[[], list[T]]):
        """Begin with the one that has all threads.

        Args:
            share: makes those that share them, one a lane, when two batches first run at once: in the self-test. What
                it raises, `take` does.
        """
        self._alone = alone
        self._share: Callable[[], list[T]] | None = share
        self._beside: list[T] = []
        self._running = 0
        self._lock = threading.Lock()

    @contextmanager
    def take(self) -> Iterator[T]:
        """Lend the one that has all threads where nothing else runs, else one that shares them."""
        with self._lock:
            if self._running and self._share:
                self._beside, self._share = self._share(), None
            program = self._beside.pop() if self._running else self._alone
            self._running += 1
        try:
            yield program
        finally:
            with self._lock:
                self._running -= 1
                if program is not self._alone:
                    self._beside.append(program)


def is_quick(run: Callable[[], object]) -> bool:
    """Whether a picture, which `run` computes, takes so little that its caller may do without half of the threads."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun < SLOW
