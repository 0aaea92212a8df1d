"""A server's processes, all of them, by a mark in their environment: who starts whom does not matter.

Reads Linux's /proc.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "PEERS_SERVER"
_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_CPU = slice(11, 15)  # utime, stime, and those of children that have ended, behind the name in /proc/PID/stat


@dataclass(frozen=True)
class Memory:
    """Megabytes of all processes together."""

    rss: float  # pages that processes share count for each
    pss: float  # they count once


def marked(mark: str) -> tuple[int, ...]:
    """The ids of all live processes with a mark."""
    entry = f"{MARK}={mark}".encode()
    return tuple(
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and entry in _read(folder / "environ").split(b"\0")
    )


def cpu_ms(mark: str) -> float:
    """CPU time of all of them so far, user and system, and of their children that have ended."""
    return sum(
        sum(int(ticks) for ticks in stat.rpartition(b")")[2].split()[_CPU]) * _TICK_MS
        for stat in _files(mark, "stat")
        if stat
    )


def memory(mark: str) -> Memory:
    """What they occupy now."""
    rows = [
        row.split()
        for text in _files(mark, "smaps_rollup")
        for row in text.splitlines()
        if row.endswith(b" kB")
    ]
    return Memory(*(sum(int(row[1]) for row in rows if row[0] == name) / 1024 for name in (b"Rss:", b"Pss:")))


def pause(mark: str) -> None:
    """Let none of them run: some servers look for work all the time."""
    for process in marked(mark):
        _signal(process, signal.SIGSTOP)


def resume(mark: str) -> None:
    """Let them run again."""
    for process in marked(mark):
        _signal(process, signal.SIGCONT)


def end(mark: str, patience_s: float = 20.0) -> None:
    """Ask them to end, and end those that do not."""
    resume(mark)
    for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 5.0)):
        for process in marked(mark):
            _signal(process, number)
        limit = time.monotonic() + wait_s
        while marked(mark) and time.monotonic() < limit:
            time.sleep(0.1)


def _files(mark: str, name: str) -> Iterator[bytes]:
    return (_read(Path("/proc") / str(process) / name) for process in marked(mark))


def _read(path: Path) -> bytes:
    """A file's content, or nothing where the process has ended or is another's."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _signal(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return
