"""The pool: threads that finish what is begun before they begin anything else.

A photograph needs them several times, to be decoded and to be merged. In the order of asking it would wait each time
behind all who came, those who came after it too; so what is to be finished goes first, and the order is that of a queue
in which each is served once. And the thread that leaves something to be finished goes on with that itself, for which
nobody has to be woken and nothing has to come into another core's cache.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from service.pipeline.relay import settle

_Work = Callable[[], None]

log = logging.getLogger("panoptic")


class _Here(threading.local):
    """What a thread of the pool has for itself."""

    works = False  # whether it is one
    left: _Work | None = None  # what it goes on with when it has done this


class Pool(Executor):
    """Owns threads, into which there are two ways."""

    def __init__(self, threads: int, name: str):
        """Start the threads, whose names begin with `name`."""
        self._begun: deque[_Work] = deque()
        self._new: deque[_Work] = deque()
        self._resting: list[threading.Lock] = []  # of the threads without work: released, they go on
        self._here = _Here()
        self._closed = False
        self._changing = threading.Lock()
        # Where an engine hangs for good, its thread does not keep the process.
        self._threads = [
            threading.Thread(target=self._work, name=f"{name} {number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def size(self) -> int:
        """Threads that there are."""
        return len(self._threads)

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        """Begin something, and tell how it ended."""
        future: Future[Any] = Future()
        self.begin(settle, future, partial(work, *arguments, **named))
        return future

    def begin(self, work: Callable[..., None], *arguments: Any) -> None:
        """Begin something that tells by itself how it ended.

        Raises: RuntimeError: the pool is closed.
        """
        self._take(self._new, partial(work, *arguments))

    def finish(self, work: Callable[..., None], *arguments: Any) -> None:
        """Go on with something that was begun, and tells by itself how it ended; from a thread of the pool as the
        last that it does.

        Raises: RuntimeError: the pool is closed.
        """
        here = self._here
        if here.works and here.left is None and not self._closed:
            here.left = partial(work, *arguments)
        else:
            self._take(self._begun, partial(work, *arguments))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more, do what was given, end the threads."""
        with self._changing:
            self._closed = True
            while self._resting:
                self._resting.pop().release()
        if wait:
            for thread in self._threads:
                thread.join()

    def _take(self, line: deque[_Work], work: _Work) -> None:
        """Put work into a line, and wake the thread that came to rest last: its memory is the likeliest to be in a
        core's cache.
        """
        with self._changing:
            if self._closed:
                raise RuntimeError("the pool is closed: it takes nothing after its shutdown")
            line.append(work)
            if self._resting:
                self._resting.pop().release()

    def _work(self) -> None:
        here = self._here
        here.works = True
        resting = threading.Lock()
        resting.acquire()
        while work := here.left or self._next(resting):
            here.left = None
            try:
                work()
            except Exception:  # a fault of ours: work tells by itself how it ended; the thread is needed
                log.exception("a piece of work failed without telling")
            del work  # and all that it holds, however long the thread rests

    def _next(self, resting: threading.Lock) -> _Work | None:
        """The work that is first, as soon as there is any; None at the end."""
        while True:
            with self._changing:
                if line := self._begun or self._new:
                    return line.popleft()
                if self._closed:
                    return None
                self._resting.append(resting)
            resting.acquire()
