"""The pace: what is learned of batches, and the size that it makes best."""

import math

import pytest

from service.pipeline.pace import Pace


def pace(**seconds: float) -> Pace:
    """A pace of sizes 1, 2, 4, 8 that learned `_SIZE=SECONDS`."""
    made = Pace((1, 2, 4, 8))
    for name, each in seconds.items():
        made.learn("key", int(name[1:]), each)
    return made


LINEAR = {"_1": 0.1, "_2": 0.2, "_4": 0.4, "_8": 0.8}  # a processor
FLAT = {"_1": 0.1, "_2": 0.11, "_4": 0.12, "_8": 0.13}  # an accelerator


@pytest.mark.parametrize(
    ("seconds", "count", "size"),
    [
        (LINEAR, 8, 1),  # company saves nothing, so nobody waits for it
        (FLAT, 8, 8),
        (FLAT, 20, 8),
        (FLAT, 3, 4),  # padded: four take as long as three
        (LINEAR, 3, 1),
        ({"_1": 0.1, "_2": 0.12, "_4": 0.3, "_8": 0.6}, 8, 2),
        ({}, 5, 8),  # nothing is known: all that wait
        ({}, 1, 1),
    ],
)
def test_the_size_is_the_one_that_costs_least_an_item(
    seconds: dict[str, float], count: int, size: int
) -> None:
    assert pace(**seconds).choose("key", count, within=math.inf) == size


def test_a_size_that_takes_too_long_for_the_first_deadline_is_left_out() -> None:
    assert pace(**FLAT).choose("key", 8, within=0.12) == 4


def test_where_every_size_is_too_slow_the_quickest_is_run() -> None:
    assert pace(**FLAT).choose("key", 8, within=0.01) == 1


def test_the_mean_follows_the_newest_batches() -> None:
    made = pace(_1=0.1)

    for _ in range(50):
        made.learn("key", 1, 0.3)

    assert made.seconds("key", 1) == pytest.approx(0.3, abs=0.01)


def test_a_size_that_never_ran_is_expected_from_its_neighbour() -> None:
    assert pace(_2=0.2).seconds("key", 4) == pytest.approx(0.4)


def test_an_item_of_many_costs_its_share_of_the_best_batch() -> None:
    assert pace(**FLAT).seconds_per_item("key") == pytest.approx(0.13 / 8)


def test_what_is_learned_of_one_key_says_nothing_of_another() -> None:
    assert pace(**LINEAR).seconds("other", 1) == 0.0
