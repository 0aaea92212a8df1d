"""A server's process: found by its port, its time counted."""

import asyncio
import os
import socket
import time

import pytest

from service.bench.process import Watch, listening_pid
from service.settings import SettingsError


def test_a_server_is_found_by_the_port_it_listens_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert listening_pid("127.0.0.1", listener.getsockname()[1]) == os.getpid()


def test_no_process_is_found_for_a_port_of_another_machine() -> None:
    assert listening_pid("192.0.2.1", 80) is None


def test_the_time_of_a_process_is_what_it_spent_meanwhile() -> None:
    async def watched() -> Watch:
        async with Watch(os.getpid()) as watch:
            begun = time.process_time()
            while time.process_time() - begun < 0.2:
                pass
        return watch

    usage = asyncio.run(watched()).usage

    assert usage.cpu_s >= 0.15  # the system counts in steps of 10 ms
    assert usage.peak_rss > 10_000_000


def test_a_process_that_is_not_there_is_refused() -> None:
    with pytest.raises(SettingsError, match="no process"):
        Watch(2**22 + 1)
