"""The cost of metrics: what is timed is what a request calls, each call once."""

import pytest

from benchmarks.metrics import COUNTED, Clock, measure, timed
from model.bundle import Bundle
from service.metrics import Metrics
from tests.service.toy import write_toy


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_toy(tmp_path_factory.mktemp("bundles") / "toy")


def test_a_request_s_calls_are_found_and_traces_only_where_they_are_sent(toy: Bundle) -> None:
    cost = measure(toy.path, 3)

    assert 20 < cost.calls < 60
    assert 0 < cost.metrics < cost.request
    assert cost.scrape > 0


def test_a_call_within_a_call_is_not_counted_again() -> None:
    clock, metrics = Clock(), Metrics()

    with timed(clock, COUNTED):
        metrics.batches.observe(
            images=1, size=1, reason="idle", pixels=1, padding_ratio=0, waited_s=[0.1, 0.2]
        )
    metrics.inflight.set(1)

    assert clock.calls == 8  # images, pixels, ratio, two waits; padding; the reason's label and its count
