"""Relay: work that goes from thread to thread, each step begun by the end of the one before.

An event loop that awaits the last future wakes once, and not after every step.
"""

from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def then(
    first: "Future[T]", step: "Callable[[Future[T]], R | Future[R]]", pool: Executor | None = None
) -> "Future[R]":
    """What a step makes of a future that is done.

    Where it is cancelled before the step begins, the step does not; what has begun goes on, and nobody hears of it.

    Args:
        step: it asks the first for its result, which raises what that failed with, or that it was cancelled. Where it
            returns a future, that one's end is the step's.
        pool: where the step runs; None is the thread that ended the first.
    """
    second: Future[R] = Future()

    def begin(first: "Future[T]") -> None:
        if pool is None:
            _run(step, first, second)
        elif not second.cancelled():
            try:
                pool.submit(_run, step, first, second)
            except RuntimeError as error:  # the pool takes nothing any more
                _fail(second, error)

    first.add_done_callback(begin)
    return second


def done(value: T) -> "Future[T]":
    """A future that has its result."""
    future: Future[T] = Future()
    future.set_result(value)
    return future


def _run(step: Callable[["Future[Any]"], Any], first: "Future[Any]", second: "Future[Any]") -> None:
    if second.cancelled():
        return
    try:
        found = step(first)
    except BaseException as error:
        _fail(second, error)
        return
    if isinstance(found, Future):
        found.add_done_callback(partial(_follow, second))
    else:
        with suppress(InvalidStateError):  # cancelled meanwhile
            second.set_result(found)


def _follow(second: "Future[Any]", found: "Future[Any]") -> None:
    _run(Future.result, found, second)


def _fail(second: "Future[Any]", error: BaseException) -> None:
    if isinstance(error, CancelledError):
        second.cancel()
        return
    with suppress(InvalidStateError):
        second.set_exception(error)
