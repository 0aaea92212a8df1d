"""A full disk: the service answers without writing a byte."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.bundle import Bundle
from tests.faults.caller import Answer, ask_all, ask_once, distinct, get, request
from tests.faults.conftest import toy_arguments
from tests.faults.server_process import QUICK, ROOT
from tests.faults.table import Record, Row

NO_FILE_GROWS = ("bash", "-c", 'ulimit -f 0; exec "$@"', "-")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_until_ready(port: int) -> None:
    while asyncio.run(ask_once(port, get("/readyz"))).status != 200:
        time.sleep(0.05)


def ask_on_a_full_disk(bundle: Bundle, picture: bytes, count: int) -> tuple[list[Answer], int]:
    """A server that can write neither files, nor its log, nor on which port it is ready: answers, exit code."""
    port = free_port()
    arguments = (*QUICK, *toy_arguments(bundle), "--port", str(port), "--log-level", "debug")
    with Path("/dev/full").open("wb") as full:
        server = subprocess.Popen(
            [*NO_FILE_GROWS, sys.executable, "-m", "service.serve", *arguments],
            cwd=ROOT,
            stdout=full,
            stderr=full,
        )
    try:
        wait_until_ready(port)
        answers = asyncio.run(ask_all(port, [request(distinct(picture, number)) for number in range(count)]))
        server.send_signal(signal.SIGINT)
        return answers, server.wait(60)
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("count", [20, pytest.param(60, marks=pytest.mark.slow)])
def test_a_full_disk_ends_no_request(count: int, bundle: Bundle, picture: bytes, record: Record) -> None:
    answers, code = ask_on_a_full_disk(bundle, picture, count)

    lost = sum(answer.lost for answer in answers)
    wrong = sum(answer.status != 200 for answer in answers) + (code != 0)
    record(Row("full disk", len(answers), lost, wrong, max(each.seconds for each in answers)))
    assert (lost, wrong) == (0, 0)
