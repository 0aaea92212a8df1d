"""The pace: what is learned of batches, and the size that it makes best."""

import math

import pytest

from service.pipeline.pace import Pace, worthwhile


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


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [
        ({1: 0.1, 2: 0.2, 4: 0.4}, [1]),
        ({1: 0.1, 2: 0.11, 4: 0.12}, [1, 2, 4]),
        ({1: 0.1, 2: 0.12, 4: 0.24}, [1, 2]),
    ],
)
def test_batch_sizes_are_measured_up_to_the_first_that_saves_nothing(
    seconds: dict[int, float], kept: list[int]
) -> None:
    assert list(worthwhile(seconds.__getitem__, (1, 2, 4))) == kept


def test_a_size_that_is_not_kept_is_never_chosen() -> None:
    made = pace(**FLAT)

    made.keep((1, 2))

    assert made.choose("key", 8, within=math.inf) == 2
