"""Rounds: fair orders, and ratios of what stood side by side."""

import math
from collections.abc import Mapping

import pytest

from benchmarks.peers.processes import Memory
from benchmarks.peers.rounds import Turn, orders, percentile, play, sum_up


def turn(
    server: str,
    number: int,
    images_per_s: float,
    cpu_ms: float = 1.0,
    latencies_ms: tuple[float, ...] = (1.0,),
    errors: Mapping[str, int] | None = None,
) -> Turn:
    return Turn(server, number, images_per_s, latencies_ms, cpu_ms, Memory(2, 1), errors or {})


def test_every_round_visits_every_server_once() -> None:
    names = ("ours", "a", "b", "c")

    assert all(sorted(order) == sorted(names) for order in orders(names, 20))


def test_the_order_differs_from_round_to_round() -> None:
    assert len(set(orders(("ours", "a", "b", "c"), 20))) > 1


def test_the_same_seed_gives_the_same_orders() -> None:
    assert list(orders(("ours", "a", "b"), 5, seed=3)) == list(orders(("ours", "a", "b"), 5, seed=3))


def test_no_server_has_its_second_turn_before_all_had_their_first() -> None:
    turns = play(("ours", "a", "b"), 4, lambda name, number: turn(name, number, 1))

    assert [row.round for row in turns] == [number for number in range(4) for _ in range(3)]


def test_a_ratio_is_the_median_of_ratios_within_rounds() -> None:
    turns = [
        *(turn("ours", number, rate) for number, rate in enumerate([100, 10, 50])),
        *(turn("a", number, rate) for number, rate in enumerate([20, 5, 10])),
    ]

    assert sum_up(turns, "ours")[1].ratio == pytest.approx(0.2)


def test_a_round_in_which_ours_did_not_answer_gives_no_ratio() -> None:
    turns = [turn("ours", 0, 10), turn("a", 0, 5), turn("ours", 1, 0), turn("a", 1, 50)]

    assert sum_up(turns, "ours")[1].ratio == pytest.approx(0.5)


def test_a_server_that_never_answers_has_no_ratio_and_its_errors() -> None:
    turns = [turn("ours", 0, 10), turn("a", 0, 0, math.nan, latencies_ms=(), errors={"status 500": 3})]

    dead = sum_up(turns, "ours")[1]

    assert math.isnan(dead.ratio) and math.isnan(dead.p99_ms) and dead.errors == 3


def test_ours_stands_first_and_the_rest_by_speed() -> None:
    turns = [turn("slow", 0, 1), turn("quick", 0, 9), turn("ours", 0, 5)]

    assert [row.server for row in sum_up(turns, "ours")] == ["ours", "quick", "slow"]


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: int) -> None:
    assert percentile(range(100, 0, -1), share) == expected


def test_a_percentile_of_nothing_is_not_a_number() -> None:
    assert math.isnan(percentile((), 0.5))
