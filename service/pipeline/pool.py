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
from queue import SimpleQueue
from typing import Any

from service.pipeline.relay import settle

_Work = Callable[[], None]

log = logging.getLogger("panoptic")


class _Here(threading.local):
    """What a thread of the pool has for itself."""

    works = False  # whether it is one
    goes_on = False  # whether it takes a piece of work when it has done this one


class Pool(Executor):
    """Owns threads, into which there are two ways."""

    def __init__(self, threads: int, name: str):
        """Start the threads, whose names begin with `name`."""
        self._begun: deque[_Work] = deque()
        self._new: deque[_Work] = deque()
        self._calls: SimpleQueue[bool] = SimpleQueue()  # one for each piece of work; False ends a thread
        self._here = _Here()
        self._closed = False
        self._closing = threading.Lock()
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
        self._take(self._new, partial(work, *arguments), goes_on=False)

    def finish(self, work: Callable[..., None], *arguments: Any) -> None:
        """Go on with something that was begun, and tells by itself how it ended; from a thread of the pool as the
        last that it does.

        Raises: RuntimeError: the pool is closed.
        """
        here = self._here
        self._take(self._begun, partial(work, *arguments), goes_on=here.works and not here.goes_on)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more, do what was given, end the threads."""
        with self._closing:
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._calls.put(False)
        if wait:
            for thread in self._threads:
                thread.join()

    def _take(self, line: deque[_Work], work: _Work, *, goes_on: bool) -> None:
        with self._closing:
            if self._closed:
                raise RuntimeError("the pool is closed: it takes nothing after its shutdown")
            line.append(work)
            if goes_on:
                self._here.goes_on = True
            else:
                self._calls.put(True)

    def _work(self) -> None:
        here = self._here
        here.works = True
        while here.goes_on or self._calls.get():
            here.goes_on = False
            try:
                self._next()
            except Exception:  # a fault of ours: work tells by itself how it ended; the thread is needed
                log.exception("a piece of work failed without telling")

    def _next(self) -> None:
        """Do a piece of work, whichever is first: there are as many as there are calls."""
        try:
            work = self._begun.popleft()
        except IndexError:
            work = self._new.popleft()
        work()
