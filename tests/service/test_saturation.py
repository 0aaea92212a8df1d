"""Saturation: what is asked over what can be done."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.saturation import WINDOW_S, Saturation

PIXELS = 1_000_000


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def offer(
    saturation: Saturation, clock: Clock, *, each_s: float, seconds: float, refused: bool = False
) -> None:
    for _ in range(round(seconds / each_s)):
        clock.now += each_s
        saturation.refuse() if refused else saturation.offer(PIXELS)


def test_nothing_asked_is_a_saturation_of_zero(clock: Clock) -> None:
    assert Saturation(PIXELS, clock=clock).ratio == 0


def test_without_a_measured_capacity_there_is_none(clock: Clock) -> None:
    saturation = Saturation(None, clock=clock)
    saturation.offer(PIXELS)

    assert saturation.ratio is None


@pytest.mark.parametrize("times", [0.5, 1, 4, 20])
def test_it_is_the_offered_rate_over_the_capacity(times: float, clock: Clock) -> None:
    saturation = Saturation(10 * PIXELS, clock=clock)

    offer(saturation, clock, each_s=0.1 / times, seconds=10 * WINDOW_S)

    assert saturation.ratio == pytest.approx(times, rel=0.01)


def test_what_is_refused_counts_as_much_as_what_is_taken(clock: Clock) -> None:
    saturation = Saturation(10 * PIXELS, clock=clock)
    saturation.offer(PIXELS)

    offer(saturation, clock, each_s=0.05, seconds=10 * WINDOW_S, refused=True)

    assert saturation.ratio == pytest.approx(2, rel=0.01)


def test_it_falls_to_a_third_in_one_window_without_callers(clock: Clock) -> None:
    saturation = Saturation(10 * PIXELS, clock=clock)
    offer(saturation, clock, each_s=0.1, seconds=10 * WINDOW_S)

    clock.now += WINDOW_S

    assert saturation.ratio == pytest.approx(0.368, rel=0.01)


def test_a_server_that_does_half_of_what_was_measured_is_twice_as_saturated(clock: Clock) -> None:
    saturation = Saturation(10 * PIXELS, clock=clock)
    for _ in range(100):
        saturation.correct(PIXELS, busy_s=0.2)

    offer(saturation, clock, each_s=0.1, seconds=10 * WINDOW_S)

    assert saturation.ratio == pytest.approx(2, rel=0.01)


def test_a_stall_does_not_make_the_capacity_nothing() -> None:
    saturation = Saturation(10 * PIXELS)
    for _ in range(100):
        saturation.correct(PIXELS, busy_s=1000)

    assert saturation.capacity == 2.5 * PIXELS


def test_without_a_measurement_the_first_busy_time_tells_the_capacity() -> None:
    saturation = Saturation(None)

    saturation.correct(PIXELS, busy_s=0.5)

    assert saturation.capacity == 2 * PIXELS


def test_a_time_of_nothing_teaches_nothing() -> None:
    saturation = Saturation(PIXELS)

    saturation.correct(PIXELS, busy_s=0)

    assert saturation.capacity == PIXELS


def work(saturation: Saturation, clock: Clock, *, each_s: float, answers: int, others_wait: bool) -> None:
    for _ in range(answers):
        clock.now += each_s
        saturation.answer(PIXELS, others_wait=others_wait)


def test_work_without_a_pause_tells_the_capacity(clock: Clock) -> None:
    saturation = Saturation(None, clock=clock)

    work(saturation, clock, each_s=0.2, answers=50, others_wait=True)

    assert saturation.capacity == pytest.approx(5 * PIXELS, rel=0.01)


def test_work_with_pauses_tells_nothing(clock: Clock) -> None:
    saturation = Saturation(None, clock=clock)

    work(saturation, clock, each_s=0.2, answers=50, others_wait=False)

    assert saturation.capacity is None


def test_another_model_brings_its_own_capacity(clock: Clock) -> None:
    saturation = Saturation(10 * PIXELS, clock=clock)

    saturation.believe(20 * PIXELS)

    assert saturation.capacity == 20 * PIXELS


def test_no_photograph_is_lost_between_threads() -> None:
    saturation = Saturation(WINDOW_S, clock=lambda: 0.0)
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(saturation.offer, [1] * 20_000))
    finally:
        sys.setswitchinterval(usual)

    assert saturation.ratio == pytest.approx(20_000 / WINDOW_S / WINDOW_S)
