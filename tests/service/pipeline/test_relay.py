"""Relay: one step after the other, from thread to thread, with errors and farewells passed on."""

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial

import pytest

from service.pipeline.relay import done, then


def test_a_step_has_the_future_before_it_and_runs_in_the_pool() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
        first: Future[int] = Future()
        second = then(first, lambda each: (each.result() + 1, threading.current_thread().name), pool.submit)
        assert not second.done()
        first.set_result(1)
        assert second.result(10) == (2, "pool_0")


def test_without_a_pool_it_runs_where_the_one_before_it_ends() -> None:
    assert then(done(1), lambda each: threading.current_thread()).result(0) is threading.current_thread()


def test_a_step_that_returns_a_future_ends_with_it() -> None:
    inner: Future[str] = Future()
    outer: Future[str] = then(done(1), lambda _: inner)
    assert not outer.done()
    inner.set_result("there")
    assert outer.result(0) == "there"


def test_errors_pass_every_step_that_asks_for_the_result() -> None:
    first: Future[int] = Future()
    last = then(then(first, lambda each: done(each.result())), lambda each: each.result() + 1)
    first.set_exception(ArithmeticError("13"))
    with pytest.raises(ArithmeticError, match="13"):
        last.result(0)


def test_a_cancelled_one_cancels_those_behind_it() -> None:
    first: Future[int] = Future()
    last = then(then(first, lambda each: each.result()), lambda each: each.result())
    first.cancel()
    assert last.cancelled()
    with pytest.raises(CancelledError):
        last.result(0)


def test_what_is_cancelled_in_time_is_not_begun() -> None:
    submitted: list[Callable[[], None]] = []
    begun: list[Future[None]] = []

    def submit(work: Callable[..., None], *arguments: object) -> None:
        submitted.append(partial(work, *arguments))

    early: Future[None] = Future()
    then(early, begun.append, submit).cancel()
    early.set_result(None)
    assert submitted == []
    then(done(None), begun.append, submit).cancel()
    submitted[0]()
    assert begun == []


def test_what_is_cancelled_meanwhile_has_no_result() -> None:
    second: Future[str]
    inner: Future[str] = Future()
    second = then(done(None), lambda _: inner)
    second.cancel()
    inner.set_result("too late")
    third: Future[str] = Future()
    fails = then(third, lambda _: 1 / 0)
    fails.cancel()
    third.set_result("")
    assert second.cancelled() and fails.cancelled()


def test_a_pool_that_takes_nothing_any_more_is_an_error_and_no_silence() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        then(done(1), lambda each: each.result(), pool.submit).result(0)


def test_what_is_over_holds_nothing_that_its_steps_held() -> None:
    class Photograph:
        """Large."""

    photograph = Photograph()
    gone = weakref.ref(photograph)
    first: Future[None] = Future()
    second = then(first, lambda _, held=photograph: None)  # type: ignore[misc]
    del photograph
    assert gone() is not None

    first.set_result(None)

    assert second.done()
    assert gone() is None
