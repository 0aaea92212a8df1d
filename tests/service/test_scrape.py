"""Metrics on a port of their own."""

import socket

import httpx
import pytest

from service.metrics import Metrics
from service.scrape import serving_metrics
from service.settings import Settings, SettingsError
from tests.service.conftest import Serve


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_the_metrics_are_told_on_their_port() -> None:
    port = free_port()

    with serving_metrics(Settings(metrics_port=port), Metrics()):
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics")

    assert "panoptic_model_state" in answer.text


def test_a_port_that_is_taken_is_told_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        with (
            pytest.raises(SettingsError, match=f"port {port}: .* --metrics-port"),
            serving_metrics(Settings(metrics_port=port), Metrics()),
        ):
            pass


def test_callers_cannot_read_metrics_that_have_a_port_of_their_own(serve: Serve) -> None:
    assert serve(metrics_port=free_port()).get("/metrics").status_code == 404
