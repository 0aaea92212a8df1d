"""The trace of a request: read as W3C has it, and in the request's line."""

import json
import logging
import time

import httpx
import pytest

from service.http.trace import Trace, read_trace
from tests.service.http.conftest import URL

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def line_of(request_id: str, caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """The one line of a request; it is written after the answer, so it is waited for."""
    until = time.monotonic() + 10
    while True:
        lines = [r for r in caplog.records if getattr(r, "request_id", "") == request_id]
        if lines or time.monotonic() > until:
            (line,) = lines
            return line
        time.sleep(0.01)


def test_a_trace_is_read_with_its_parent_and_its_state() -> None:
    found = read_trace({"traceparent": PARENT, "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"})

    assert found == Trace(TRACE, SPAN, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\r\nX: y",
    ],
)
def test_what_is_malformed_counts_as_no_trace(parent: str) -> None:
    assert read_trace({"traceparent": parent, "tracestate": "a=b"}) == Trace()


def test_a_request_s_line_names_its_trace(
    client: httpx.Client, scene: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "panoptic.http"):
        client.post(URL, content=scene, headers={"traceparent": PARENT, "X-Request-ID": "traced"})
        line = line_of("traced", caplog)

    assert line.getMessage().endswith(f"trace {TRACE}")
    assert (line.__dict__["trace_id"], line.__dict__["parent_id"]) == (TRACE, SPAN)


def test_a_request_s_line_holds_its_stages_and_no_photograph(
    client: httpx.Client, scene: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "panoptic.http"):
        client.post(URL, content=scene, headers={"X-Request-ID": "staged"})
        line = line_of("staged", caplog)

    assert "infer;dur=" in line.__dict__["stages"]
    assert (line.__dict__["status"], line.__dict__["route"]) == (200, URL)
    assert len(json.dumps(line.__dict__, default=str)) < 4096
