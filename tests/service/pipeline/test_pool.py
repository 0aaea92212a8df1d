"""The pool: what is begun goes before what is new, and every piece of work is done once."""

import threading
import time
import weakref
from concurrent.futures import CancelledError

import pytest

from service.pipeline.pool import Pool


def test_what_is_begun_goes_before_what_is_new() -> None:
    order: list[str] = []
    free = threading.Event()
    with Pool(1, "one") as pool:
        pool.submit(free.wait, 30)
        pool.submit(order.append, "new")
        pool.finish(order.append, "begun")
        pool.begin(order.append, "newer")
        pool.finish(order.append, "begun too")
        free.set()
    assert order == ["begun", "begun too", "new", "newer"]


def test_results_errors_and_names() -> None:
    with Pool(2, "photograph") as pool:
        assert pool.submit(divmod, 7, 2).result(10) == (3, 1)
        assert pool.submit(int, "7", base=8).result(10) == 7
        assert pool.submit(lambda: threading.current_thread().name).result(10).startswith("photograph")
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result(10)


def test_what_is_cancelled_in_time_is_not_done() -> None:
    done: list[int] = []
    free = threading.Event()
    with Pool(1, "one") as pool:
        pool.submit(free.wait, 30)
        cancelled = pool.submit(done.append, 1)
        assert cancelled.cancel()
        free.set()
        pool.submit(done.append, 2).result(10)
    assert done == [2]
    with pytest.raises(CancelledError):
        cancelled.result(0)


def test_nothing_is_lost_between_threads() -> None:
    done: list[int] = []
    with Pool(4, "many") as pool:
        for number in range(3000):
            (pool.begin if number % 3 else pool.finish)(done.append, number)
    assert sorted(done) == list(range(3000))


def test_a_thread_goes_on_with_what_it_left_to_be_finished() -> None:
    threads: list[str] = []
    done = threading.Event()
    with Pool(3, "many") as pool:

        def step(left: int) -> None:
            threads.append(threading.current_thread().name)
            if left:
                pool.finish(step, left - 1)
            else:
                done.set()

        pool.begin(step, 20)
        assert done.wait(10)
    assert len(threads) == 21
    assert len(set(threads)) == 1


def test_of_several_things_that_are_left_to_be_finished_others_take_some() -> None:
    met = threading.Barrier(3)

    def meet() -> None:
        met.wait(10)

    with Pool(3, "many") as pool:

        def leave() -> None:
            for _ in range(3):
                pool.finish(meet)

        pool.submit(leave).result(10)
    assert not met.broken


def test_a_fault_does_not_cost_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    with Pool(1, "one") as pool:
        pool.begin(divmod, 1, 0)
        assert pool.submit(divmod, 7, 2).result(10) == (3, 1)
    assert "ZeroDivisionError" in caplog.text


def test_a_thread_that_rests_holds_nothing() -> None:
    class Photograph:
        """Large."""

    held = Photograph()
    seen = weakref.ref(held)
    with Pool(1, "one") as pool:
        pool.begin(lambda photograph: None, held)
        del held
        end = time.monotonic() + 10
        while seen() is not None and time.monotonic() < end:
            time.sleep(0.001)
        assert seen() is None


def test_a_closed_pool_takes_nothing() -> None:
    pool = Pool(1, "closed")
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.finish(print)
