"""A server of our own to measure: panoptic-serve in a process of its own, on a free port."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.bundle import BundleError

_STOP_S = 30


@dataclass(frozen=True)
class Server:
    """A server that is ready."""

    address: str  # http://127.0.0.1:port
    pid: int
    start_s: float  # from the start of its process until it was ready


@contextmanager
def running_server(bundle: Path, arguments: Sequence[str] = ()) -> Iterator[Server]:
    """Serve a bundle while the block runs.

    Args:
        arguments: further ones of panoptic-serve.
    Raises: BundleError: it did not become ready; with the server's last word.
    """
    begun = time.perf_counter()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "service.serve", "--bundle", str(bundle), "--port", "0"),
            *("--log-level", "warning", "--lame-duck-s", "0", *arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None  # it is a pipe
        line = process.stdout.readline()
        took = time.perf_counter() - begun
        if " is ready on " not in line:
            _, said = process.communicate(timeout=_STOP_S)
            last = (said.strip().splitlines() or ["it said nothing"])[-1]
            raise BundleError(f"the server did not start: {last.removeprefix('Error: ')}")
        yield Server(line.partition(" on ")[2].partition(" ")[0], process.pid, took)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
