"""The health check of the container: ready, not ready, and nothing there."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "docker" / "healthcheck.py"


class Answers(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        assert self.path == "/readyz"
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), type("Own", (Answers,), {})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def check(port: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, SCRIPT],
        env={"PANOPTIC_PORT": str(port)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_ready_server_is_healthy(server: HTTPServer) -> None:
    assert check(server.server_port).returncode == 0


def test_a_server_that_is_not_ready_is_unhealthy_with_its_status(server: HTTPServer) -> None:
    server.RequestHandlerClass.status = 503  # type: ignore[attr-defined]

    ended = check(server.server_port)

    assert (ended.returncode, "answers 503" in ended.stderr) == (1, True)


def test_no_server_is_unhealthy_with_the_reason(server: HTTPServer) -> None:
    server.shutdown()
    server.server_close()

    ended = check(server.server_port)

    assert (ended.returncode, "Nothing answers" in ended.stderr) == (1, True)
