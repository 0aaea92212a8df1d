"""Relay: work that goes from thread to thread, each step begun by the end of the one before.

An event loop that awaits the last future wakes once, and not after every step.
"""

from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def then(
    first: "Future[T]",
    step: "Callable[[Future[T]], R | Future[R]]",
    begin: Callable[..., object] | None = None,
) -> "Future[R]":
    """What a step makes of a future that is done.

    Where it is cancelled before the step begins, the step does not; what has begun goes on, and nobody hears of it.

    Args:
        step: it asks the first for its result, which raises what that failed with, or that it was cancelled. Where it
            returns a future, that one's end is the step's.
        begin: a pool's way in, in whose threads the step runs; None is the thread that ended the first.
    """
    second: Future[R] = Future()
    # Taken out as it begins: a future keeps its callbacks when it is done, and all that they hold.
    steps = [step]

    def go_on(first: "Future[T]") -> None:
        step = steps.pop()
        if begin is None:
            _run(step, first, second)
        elif not second.cancelled():
            try:
                begin(_run, step, first, second)
            except RuntimeError as error:  # the pool takes nothing any more
                _fail(second, error)

    first.add_done_callback(go_on)
    return second


def done(value: T) -> "Future[T]":
    """A future that has its result."""
    future: Future[T] = Future()
    future.set_result(value)
    return future


def settle(future: "Future[Any]", work: Callable[[], Any]) -> None:
    """Do the work, unless the future was cancelled, and give it the result."""
    if future.cancelled():
        return
    try:
        found = work()
    except BaseException as error:
        _fail(future, error)
        return
    if isinstance(found, Future):
        found.add_done_callback(lambda found: settle(future, found.result))
    else:
        with suppress(InvalidStateError):  # cancelled meanwhile
            future.set_result(found)


def _run(step: Callable[["Future[Any]"], Any], first: "Future[Any]", second: "Future[Any]") -> None:
    settle(second, partial(step, first))


def _fail(second: "Future[Any]", error: BaseException) -> None:
    if isinstance(error, CancelledError):
        second.cancel()
        return
    with suppress(InvalidStateError):
        second.set_exception(error)
