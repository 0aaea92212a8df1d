"""The pool: threads that finish what is begun before they begin anything else.

A photograph needs them twice, to be decoded and to be merged. In the order of asking it would wait twice behind all who
came, those who came after it too; so what is to be finished goes first, and the order is that of a queue in which each
is served once.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from service.pipeline.relay import settle

_Work = Callable[[], None]


class Pool(ThreadPoolExecutor):
    """A pool of threads with two ways in."""

    def __init__(self, threads: int, name: str):
        """Start with as many threads as there may be, whose names begin with `name`."""
        super().__init__(threads, thread_name_prefix=name)
        self._begun: deque[_Work] = deque()
        self._new: deque[_Work] = deque()

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        """Begin something, and tell how it ended."""
        future: Future[Any] = Future()
        self.begin(settle, future, partial(work, *arguments, **named))
        return future

    def begin(self, work: Callable[..., None], *arguments: Any) -> None:
        """Begin something that tells by itself how it ended."""
        self._take(self._new, partial(work, *arguments))

    def finish(self, work: Callable[..., None], *arguments: Any) -> None:
        """Go on with something that was begun, and tells by itself how it ended."""
        self._take(self._begun, partial(work, *arguments))

    def _take(self, line: deque[_Work], work: _Work) -> None:
        line.append(work)
        super().submit(self._next)  # for each piece of work one call, whichever it will take

    def _next(self) -> None:
        try:
            work = self._begun.popleft()
        except IndexError:
            work = self._new.popleft()
        work()
