"""Turns: who has company shares the threads, who is alone has all of them; on either processor's runtime."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from model.bundle import Bundle
from service.backends import Runtime, open_backend, turns
from service.backends.turns import LANES, Turns, is_quick


def test_one_alone_has_all_threads_and_the_next_beside_it_shares_them() -> None:
    programs = Turns("alone", lambda: ["first", "second"])

    with programs.take() as one, programs.take() as two:
        found = {one, two}
    with programs.take() as after:
        pass

    assert found < {"alone", "first", "second"}
    assert (one, after) == ("alone", "alone")


def test_those_that_share_are_made_once_and_only_when_two_run_at_once() -> None:
    made: list[str] = []

    def share() -> list[str]:
        made.append("shared")
        return ["first", "second"]

    programs = Turns("alone", share)
    with programs.take():
        pass
    before = list(made)
    for _ in range(3):
        with programs.take(), programs.take():
            pass

    assert (before, made) == ([], ["shared"])


def test_no_program_is_lent_to_two_at_once_whatever_the_order_of_their_ends() -> None:
    programs: Turns[int] = Turns(0, lambda: [1, 2])
    lent, twice, lock = set[int](), list[int](), threading.Lock()

    def work(_: int) -> None:
        with programs.take() as program:
            with lock:
                if program in lent:
                    twice.append(program)
                lent.add(program)
            with lock:
                lent.remove(program)

    with ThreadPoolExecutor(LANES) as threads:
        list(threads.map(work, range(20_000)))

    assert not twice


def test_a_program_that_cannot_be_made_fails_its_caller_alone() -> None:
    def fail() -> list[str]:
        raise RuntimeError("no memory")

    programs = Turns("alone", fail)
    with programs.take(), pytest.raises(RuntimeError, match="no memory"), programs.take():
        pass

    with programs.take() as program:
        assert program == "alone"


def test_a_run_that_failed_counts_as_over() -> None:
    programs = Turns("alone", lambda: ["first", "second"])
    with pytest.raises(RuntimeError), programs.take():
        raise RuntimeError("the run failed")

    with programs.take() as program:
        assert program == "alone"


def test_what_takes_long_is_not_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_quick(lambda: None)
    monkeypatch.setattr(turns, "SLOW", 0.0)
    assert not is_quick(lambda: None)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_one_thread_has_one_lane_and_two_have_two(toy: Bundle, runtime: Runtime) -> None:
    lanes = []
    for threads in (1, 2, 3):
        backend = open_backend(toy, runtime, "fp32", threads=threads)
        lanes.append(backend.lanes)
        backend.close()

    assert lanes == [1, 2, 2]
