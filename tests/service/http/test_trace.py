"""The trace of a request: read as W3C has it, and in the request's line."""

import json
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from model.bundle import Bundle
from service.http.trace import Trace, read_trace
from tests.service.conftest import photograph
from tests.service.http.conftest import URL
from tests.service.http.test_keys import CAMERA
from tests.service.http.test_keys import line as key_line
from tests.service.toy import BUCKETS

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def test_a_trace_is_read_with_its_parent_and_its_state() -> None:
    found = read_trace({"traceparent": PARENT, "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"})

    assert found == Trace(TRACE, SPAN, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")


def fields_of(caplog: pytest.LogCaptureFixture, request_id: str) -> dict[str, Any]:
    """A request's line; it is written after the answer, so its caller may have to wait for it."""
    end = time.monotonic() + 30
    while True:
        for record in list(caplog.records):
            if getattr(record, "request_id", "") == request_id:
                return record.__dict__
        assert time.monotonic() < end
        time.sleep(0.01)


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
        fields = fields_of(caplog, "traced")

    assert fields["message"].endswith(f"trace {TRACE}")
    assert (fields["trace_id"], fields["parent_id"]) == (TRACE, SPAN)


LINE = ["request_id", "outcome", "status", "route", "images", "sizes", "segments", "body_bytes"]


def test_a_request_s_line_tells_its_sizes_its_stages_and_its_outcome(
    client: httpx.Client, scene: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "panoptic.http"):
        answer = client.post(URL, content=scene, headers={"X-Request-ID": "staged"})
        fields = fields_of(caplog, "staged")

    rows, columns = BUCKETS[0]
    segments = len(answer.json()["segments_info"])
    expected = ["staged", "answered", 200, URL, 1, [f"{columns}x{rows}"], segments, len(scene)]
    assert [fields[name] for name in LINE] == expected
    assert fields["answer_bytes"] == len(answer.content)
    assert set(fields["stages"]) == {"decode", "prepare", "queue", "infer", "group", "encode", "total"}


def test_the_line_of_a_refusal_names_its_problem(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "panoptic.http"):
        client.post(URL, content=b"no photograph", headers={"X-Request-ID": "refused"})
        fields = fields_of(caplog, "refused")

    assert (fields["outcome"], fields["status"]) == ("not-an-image", 400)
    assert "stages" not in fields


def test_the_line_of_several_photographs_counts_them_all(
    client: httpx.Client, scene: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    parts = [("image", ("a.png", scene, "image/png"))] * 2
    with caplog.at_level(logging.INFO, "panoptic.http"):
        client.post(URL, files=parts, headers={"X-Request-ID": "both"})
        fields = fields_of(caplog, "both")

    assert (fields["images"], len(fields["sizes"])) == (2, 2)


def test_the_json_line_of_a_server_holds_no_photograph_and_no_key(toy: Bundle, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(key_line("camera-7", CAMERA))
    content = photograph("china.jpg").read_bytes()
    options = ("--log-format", "json", "--log-level", "info", "--keys", str(tmp_path / "keys"))
    with subprocess.Popen(
        [sys.executable, "-m", "service.serve", "--bundle", str(toy.path), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline().decode().partition(" on ")[2].partition(" ")[0]
        headers = {"X-API-Key": CAMERA, "traceparent": PARENT}
        httpx.post(address + URL, content=content, headers=headers).raise_for_status()
        process.send_signal(signal.SIGINT)
        written = process.stderr.read()

    lines = [json.loads(line) for line in written.splitlines()]
    (found,) = (line for line in lines if line.get("route") == URL)
    assert (found["trace_id"], found["parent_id"], found["key"]) == (TRACE, SPAN, "camera-7")
    assert CAMERA.encode() not in written
    assert not any(content[at : at + 16] in written for at in range(0, len(content), 4096))
    assert max(map(len, written.splitlines())) < 2048
