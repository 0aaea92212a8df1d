"""The forecast: the slower of engine and pool sets the pace of what is ahead."""

import pytest

from service.http.forecast import Forecast
from service.pipeline.queue import Priority


class Engine:
    """A batcher as the forecast sees it."""

    def __init__(self, *, item_s: float = 0.0, wait_s: float = 0.0):
        self._item_s, self._wait_s = item_s, wait_s

    def expected_item_s(self) -> float:
        return self._item_s

    def expected_wait_s(self, priority: Priority) -> float:
        return self._wait_s


def learned(pool_ms: float, *, workers: int = 2) -> Forecast:
    forecast = Forecast(workers)
    forecast.learn({"decode": pool_ms / 2, "queue": 5000, "infer": 5000, "encode": pool_ms / 2})
    return forecast


def test_nothing_is_expected_before_anything_is_known() -> None:
    assert Forecast(2).answer_s(Engine(), 50, Priority.BATCH) == 0  # type: ignore[arg-type]


def test_a_slow_engine_sets_the_pace() -> None:
    assert learned(20).wait_s(Engine(item_s=0.1), 10) == pytest.approx(1)  # type: ignore[arg-type]


def test_a_slow_pool_sets_the_pace_shared_by_its_threads() -> None:
    assert learned(400).wait_s(Engine(item_s=0.1), 10) == pytest.approx(2)  # type: ignore[arg-type]


def test_what_the_engine_knows_of_its_queue_counts_where_it_is_more() -> None:
    assert learned(20).wait_s(Engine(item_s=0.1, wait_s=7), 10) == 7  # type: ignore[arg-type]


def test_an_answer_takes_its_own_way_after_those_ahead() -> None:
    expected = learned(400).answer_s(Engine(item_s=0.1), 10, Priority.BATCH)  # type: ignore[arg-type]

    assert expected == pytest.approx(2 + 0.1 + 0.4)


def test_the_newest_answers_count_more_and_more() -> None:
    forecast = learned(400, workers=1)
    for _ in range(100):
        forecast.learn({"decode": 100})

    assert forecast.wait_s(Engine(), 1) == pytest.approx(0.1, rel=0.01)  # type: ignore[arg-type]
