"""A panoptic-serve of a test's own, as a process: its start, its memory, its log and its end."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]
QUICK = ("--threads", "1", "--log-level", "warning", "--backend", "onnxruntime", "--precision", "fp32")


@dataclass
class ServerProcess:
    """A server that is ready."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def memory_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def metric(self, name: str) -> float:
        """The sum of a metric's values over its labels, or the value of one of them.

        Args:
            name: as a regular expression.
        """
        with urlopen(f"{self.url}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.M)
        return sum(map(float, found))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, timeout_s: float = 60) -> int:
        """Wait for the exit code."""
        return self.process.wait(timeout_s)

    def close(self) -> None:
        """Take leave of a process that has ended, or is about to."""
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def said(self) -> str:
        return self.log.read_text(errors="replace")


def start(folder: Path, arguments: Sequence[str], sick: str = "", **options: object) -> ServerProcess:
    """Start a server and wait until it says that it is ready."""
    log = folder / "server.log"
    module = ("tests.faults.sick_server", sick) if sick else ("service.serve",)
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *module, "--port", "0", *QUICK, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=file,
            **options,  # type: ignore[call-overload]
        )
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    assert " is ready on " in line, log.read_text()
    return ServerProcess(process, int(line.partition(" on http://127.0.0.1:")[2].partition(" ")[0]), log)


@contextmanager
def running(folder: Path, *arguments: str, sick: str = "") -> Iterator[ServerProcess]:
    """A server that is killed at the end of the block, where it still runs."""
    server = start(folder, arguments, sick)
    try:
        yield server
    finally:
        server.process.kill()
        server.close()
