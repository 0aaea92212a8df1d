"""A server's process, with its children: the processor time it spent and the memory it holds."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import psutil

from service.settings import SettingsError

_LOOK_S = 0.2
_LOCAL = ("127.", "::1", "localhost", "0.0.0.0")  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True)
class Usage:
    """What the process and its children took over a while."""

    cpu_s: float  # of all their threads, in user and kernel
    peak_rss: int  # bytes, the most of all looks, all processes together


class Watch:
    """Owns the looks at a process; enter it around what is measured, and read `usage` after."""

    def __init__(self, pid: int):
        try:
            self._process = psutil.Process(pid)
        except psutil.NoSuchProcess as error:
            raise SettingsError(f"There is no process {pid}. Give --pid the server's own.") from error
        self._begun = 0.0
        self._task: asyncio.Task[None] | None = None
        self._peak = 0
        self.usage = Usage(0, 0)

    async def __aenter__(self) -> "Watch":
        self._begun, self._peak = self._cpu_s(), self._rss()
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None  # it was entered
        self._task.cancel()
        self.usage = Usage(self._cpu_s() - self._begun, max(self._peak, self._rss()))

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            self._peak = max(self._peak, self._rss())

    def _cpu_s(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._tree())

    def _rss(self) -> int:
        return sum(process.memory_info().rss for process in self._tree())

    def _tree(self) -> Iterator[psutil.Process]:
        """Those that still run."""
        with suppress(psutil.NoSuchProcess):
            for process in (self._process, *self._process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess), process.oneshot():
                    process.cpu_times()
                    yield process


def listening_pid(host: str, port: int) -> int | None:
    """The process that listens on a port of this machine, of several the first's parent; None where none is seen."""
    if not host.startswith(_LOCAL):
        return None
    found = {process.pid: process.ppid() for process in psutil.process_iter() if _listens(process, port)}
    return next((pid for pid, parent in found.items() if parent not in found), None)


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for connection in process.net_connections(kind="tcp")
        )
    except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
        return False  # another user's, or gone
