"""What Prometheus reads before anything has happened."""

import pytest

from service.metrics import Metrics


@pytest.mark.parametrize(
    "series",
    [
        'panoptic_late_total{stage="queue"}',
        'panoptic_cancelled_total{stage="body"}',
        'panoptic_engine_failures_total{kind="not_finite"}',
        'panoptic_cache_requests_total{result="hit"}',
        'panoptic_reloads_total{result="kept"}',
        'panoptic_batch_release_total{reason="deadline"}',
    ],
)
def test_what_has_not_happened_is_told_as_zero(series: str) -> None:
    assert f"{series} 0.0" in Metrics().text().decode().splitlines()
