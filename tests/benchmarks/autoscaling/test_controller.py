"""The control loop, by the facts of its source."""

from dataclasses import replace

import pytest

from benchmarks.autoscaling.controller import Controller, Look, asked_of_pods, asked_of_sum
from benchmarks.autoscaling.rules import Direction, Policy, Rules, quantity, read_hpa, read_keda

ALWAYS = Direction(0, (Policy(percent=True, value=1000, period_s=15),), "Max")
AT_ONCE_DOWN = Direction(0, (Policy(percent=True, value=100, period_s=15),), "Max")
FREE = Rules(1, 100, 0.5, ALWAYS, AT_ONCE_DOWN, summed=False)


@pytest.mark.parametrize(
    ("look", "current", "asked"),
    [
        (Look([0.5] * 4), 4, 4),
        (Look([0.54] * 4), 4, 4),  # within the tolerance
        (Look([1.0] * 4), 4, 8),
        (Look([0.25] * 4), 4, 2),
        (Look([1.0] * 4, missing=4), 8, 8),  # those that tell nothing count as idle: on target
        (Look([2.0] * 4, missing=4), 8, 16),
        (Look([0.1] * 4, missing=4), 8, 5),  # those that tell nothing count as on target
        (Look([0.6] * 4, missing=4), 8, 8),  # the direction would turn
        (Look([1.5] * 4, unready=4), 8, 12),
        (Look([0.1] * 4, unready=4), 8, 1),  # unready ones count only upwards
        (Look([]), 4, None),
    ],
)
def test_pods_asked_for_by_a_metric_of_pods(look: Look, current: int, asked: int | None) -> None:
    assert asked_of_pods(look, current, target=0.5) == asked


@pytest.mark.parametrize(
    ("look", "current", "asked"),
    [
        (Look([0.5] * 4), 4, 4),
        (Look([0.54] * 4), 4, 4),
        (Look([1.0] * 4), 4, 8),
        (Look([1.0] * 4, missing=4), 8, 8),
        (Look([0.1] * 4), 4, 1),
        (Look([0.7]), 0, 2),
        (Look([]), 4, None),
    ],
)
def test_pods_asked_for_by_a_sum(look: Look, current: int, asked: int | None) -> None:
    assert asked_of_sum(look, current, target=0.5) == asked


@pytest.mark.parametrize(
    ("looks", "decided"),
    [
        ((Look([0.5] * 4), Look([1.0] * 4)), 8),  # the one that asks for more
        ((Look([0.5] * 4), Look([6.0] * 4, 3.0)), 8),  # by its own target
        ((Look([0.25] * 4), Look([0.1] * 4)), 2),
        ((Look([0.25] * 4), Look([])), 4),  # one cannot be read: no fewer
        ((Look([1.0] * 4), Look([])), 8),
    ],
)
def test_of_several_metrics_the_one_that_asks_for_more_is_followed(
    looks: tuple[Look, ...], decided: int
) -> None:
    assert Controller(FREE).decide(0, 4, *looks) == decided


def test_without_a_metric_nothing_changes() -> None:
    assert Controller(FREE).decide(0, 7, Look([])) == 7


@pytest.mark.parametrize(("current", "decided"), [(0, 1), (200, 100)])
def test_a_count_out_of_bounds_is_brought_back_whatever_the_metric_says(current: int, decided: int) -> None:
    assert Controller(FREE).decide(0, current, Look([0.5])) == decided


def test_upwards_no_further_than_the_policies_allow_in_their_period() -> None:
    limited = Direction(
        0, (Policy(percent=True, value=100, period_s=60), Policy(percent=False, value=3, period_s=60)), "Max"
    )
    controller = Controller(replace(FREE, up=limited))

    counts = [2]
    for now in (0, 15, 30, 45, 60, 75):
        counts.append(controller.decide(now, counts[-1], Look([5.0] * counts[-1])))

    assert counts == [2, 5, 5, 5, 5, 10, 10]


def test_of_several_policies_min_takes_the_strictest() -> None:
    limited = Direction(
        0, (Policy(percent=True, value=100, period_s=60), Policy(percent=False, value=3, period_s=60)), "Min"
    )

    assert Controller(replace(FREE, up=limited)).decide(0, 10, Look([5.0] * 10)) == 13


def test_disabled_scales_not_at_all() -> None:
    frozen = replace(FREE, down=replace(FREE.down, select="Disabled"))

    assert Controller(frozen).decide(0, 10, Look([0.0] * 10)) == 10


def test_downwards_the_highest_count_of_the_window_holds() -> None:
    controller = Controller(replace(FREE, down=replace(FREE.down, window_s=300)))

    decided = [controller.decide(now, 8, Look([0.1] * 8)) for now in range(0, 330, 15)]

    assert decided[:20] == [8] * 20
    assert decided[-1] == 2


def test_downwards_by_a_share_a_period() -> None:
    slow = Direction(0, (Policy(percent=True, value=10, period_s=60),), "Max")
    controller = Controller(replace(FREE, down=slow))

    counts = [50]
    for now in (0, 15, 30, 45, 60):
        counts.append(controller.decide(now, counts[-1], Look([0.0] * counts[-1])))

    assert counts == [50, 45, 45, 45, 45, 40]


@pytest.mark.parametrize(("text", "number"), [("700m", 0.7), ("2", 2.0), ("0.7", 0.7)])
def test_a_quantity_is_read_as_kubernetes_writes_it(text: str, number: float) -> None:
    assert quantity(text) == number


def test_the_values_come_from_the_manifests() -> None:
    hpa, keda = read_hpa(), read_keda()

    assert hpa == replace(keda, summed=False)
    assert (hpa.least, hpa.target, hpa.down.window_s) == (2, 0.8, 300)
