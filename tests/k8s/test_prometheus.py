"""A real Prometheus scrapes the real service, and answers what dashboard and autoscalers ask."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from k8s.dashboard import RULES, expressions
from service.bench.server import running_server
from service.settings import EMBEDDED_BUNDLE
from tests.docker.conftest import free_port, jpeg
from tests.k8s.names import AWAITED, metrics_in
from tests.k8s.test_monitoring import plain

pytestmark = pytest.mark.slow

Ask = Callable[[str], list[float]]
PHOTOGRAPHS = 6
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a Prometheus that has scraped a server more than once after photographs were answered."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (apt install prometheus)")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    address = f"http://127.0.0.1:{port}"
    with running_server(EMBEDDED_BUNDLE, ["--backend", "onnxruntime", "--threads", "1"]) as server:
        _configure(folder, server.address.removeprefix("http://"))
        process = _start(folder, port)
        try:
            _wait(lambda: _values(address, "panoptic_model_state"))
            for _ in range(PHOTOGRAPHS):
                request = urllib.request.Request(
                    f"{server.address}/v1/panoptic", data=jpeg(320, 213), headers={"traceparent": PARENT}
                )
                urllib.request.urlopen(request, timeout=60).read()
            _wait(lambda: [1] if sum(_values(address, "panoptic_batch_images_sum")) >= PHOTOGRAPHS else [])
            _wait(lambda: _values(address, "panoptic:late:ratio_rate5m"))
            yield address
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def ask(address: str) -> Ask:
    """Values of an expression."""
    return lambda expression: _values(address, expression)


def _values(address: str, expression: str) -> list[float]:
    return [float(each["value"][1]) for each in _get(address, "query", query=expression)["result"]]


def _get(address: str, what: str, **asked: str) -> Any:
    with urllib.request.urlopen(
        f"{address}/api/v1/{what}?{urllib.parse.urlencode(asked)}", timeout=10
    ) as answer:
        found = json.load(answer)
    assert found["status"] == "success"
    return found["data"]


def _configure(folder: Path, target: str) -> None:
    config = RULES.with_name("prometheus.yaml").read_text().replace("panoptic:8000", target)
    (folder / "prometheus.yaml").write_text(config.replace("interval: 5s", "interval: 1s"))
    (folder / "rules.yaml").write_text(RULES.read_text().replace("interval: 15s", "interval: 1s"))


def _start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    options = [f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}"]
    options.append("--enable-feature=exemplar-storage")
    return subprocess.Popen(
        ["prometheus", *options, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
        stderr=subprocess.DEVNULL,
    )


def _wait(found: Callable[[], list[float]]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if found():
                return
        except OSError:
            pass
        time.sleep(0.5)
    raise AssertionError("Prometheus has no answer after a minute")


@pytest.mark.parametrize("expression", expressions())
def test_every_panel_has_an_answer(expression: str, ask: Ask) -> None:
    values = ask(plain(expression))

    assert values or metrics_in(plain(expression)) & AWAITED


def test_the_numbers_are_those_of_what_was_asked(ask: Ask) -> None:
    assert ask('sum(panoptic_requests_total{route="/v1/panoptic",status="200"})') == [PHOTOGRAPHS]
    assert ask('sum(panoptic_model_state{state="ready"})') == [1]
    assert ask("panoptic:faults:ratio_rate5m") == [0.0]


def test_prometheus_keeps_the_trace_of_a_latency(address: str) -> None:
    found = _get(
        address,
        "query_exemplars",
        query="panoptic_request_duration_seconds_bucket",
        start="0",
        end=str(time.time()),
    )

    assert {each["labels"]["trace_id"] for series in found for each in series["exemplars"]} == {TRACE}
