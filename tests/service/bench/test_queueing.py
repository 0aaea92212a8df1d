"""Queueing: the prediction against the plain way and against the theory; the knee against a server that has one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bench.figures import Figures
from service.bench.load import poisson
from service.bench.queueing import predicted_ms, waits
from service.bench.saturation import STEP, Offer, find_knee


def waits_plainly(arrivals: list[float], servers: int, service_s: float) -> list[float]:
    """An arrival waits until fewer than all servers are busy with those before it."""
    ends: list[float] = []
    found = []
    for arrival in arrivals:
        later = sorted(ends)[-servers:]
        begun = max(arrival, later[0] if len(later) == servers else 0.0)
        ends.append(begun + service_s)
        found.append(begun - arrival)
    return found


@given(st.lists(st.floats(0, 10), min_size=1, max_size=40).map(sorted), st.integers(1, 4), st.floats(0.01, 3))
def test_waits_are_those_of_the_plain_way(arrivals: list[float], servers: int, service_s: float) -> None:
    found = waits(np.array(arrivals), servers=servers, service_s=service_s)

    assert found.tolist() == pytest.approx(waits_plainly(arrivals, servers, service_s))


def test_the_mean_wait_of_one_server_is_that_of_pollaczek_and_khinchin() -> None:
    busy, service_s = 0.6, 0.01

    found = waits(poisson(busy / service_s, 2000), servers=1, service_s=service_s)

    assert found.mean() == pytest.approx(busy / (1 - busy) / 2 * service_s, rel=0.05)


def test_without_a_crowd_a_latency_is_the_way_through_the_stages() -> None:
    found = predicted_ms(np.array([0.0, 5.0, 9.0]), servers=2, capacity=10, unloaded_ms=300)

    assert found.tolist() == [300, 300, 300]


def test_no_latency_is_below_the_time_that_a_server_is_busy() -> None:
    found = predicted_ms(np.array([0.0, 5.0, 9.0]), servers=2, capacity=10, unloaded_ms=30)

    assert found.tolist() == [200, 200, 200]


def server_of(capacity: float, rates: list[float], errors_above: float = float("inf")) -> Offer:
    def offer(rate: float) -> Figures:
        rates.append(rate)
        kept = min(rate, capacity)
        errors = {"429": 1} if rate > errors_above else {}
        return Figures("open", rate, 1, 1, kept, 1, 1, 1, 1, errors, None, None)

    return offer


@pytest.mark.parametrize("start", [1.0, 30.0, 500.0])
def test_the_knee_is_found_from_below_and_from_above(start: float) -> None:
    knee = find_knee(server_of(100, []), start)

    assert 100 / STEP ** (1 / 4) < knee.images_per_s <= 100 / 0.95


def test_a_rate_with_errors_is_not_kept_up_with() -> None:
    knee = find_knee(server_of(1000, [], errors_above=50), 10)

    assert 40 < knee.images_per_s <= 50


def test_a_server_that_never_keeps_up_has_no_capacity() -> None:
    rates: list[float] = []

    knee = find_knee(server_of(0, rates), 10)

    assert (knee.held, knee.images_per_s) == (None, 0.0)
    assert len(rates) < 30
