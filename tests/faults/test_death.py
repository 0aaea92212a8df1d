"""Death: the process is killed again and again, and in the end every request of a patient client is answered."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from model.bundle import Bundle
from service.client import Client, Segmentation
from tests.faults.conftest import toy_arguments
from tests.faults.server_process import ServerProcess, start
from tests.faults.table import Record, Row
from tests.faults.test_disk import free_port

CALLERS = 4
DEATHS = 10


class Supervisor:
    """Starts the server again whenever it has died, as systemd or a kubelet would."""

    def __init__(self, folder: Path, bundle: Bundle):
        self._folder = folder
        self._arguments = (*toy_arguments(bundle), "--port", str(free_port()))
        self._over = threading.Event()
        self.server = self._start()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _start(self) -> ServerProcess:
        return start(self._folder, self._arguments)

    def _watch(self) -> None:
        while not self._over.is_set():
            if self.server.process.poll() is not None:
                self.server.close()
                self.server = self._start()
            time.sleep(0.05)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self.server.process.kill()
        self.server.close()


def ask_through_deaths(
    supervisor: Supervisor, picture: bytes, deaths: int
) -> tuple[list[Segmentation], float]:
    """Ask all the time while the server is killed so often: the answers, and the longest wait for one."""
    over, slowest = threading.Event(), 0.0

    def keep_asking() -> list[Segmentation]:
        nonlocal slowest
        answers = []
        while not over.is_set():
            begun = time.monotonic()
            answers.append(client.segment(picture))
            slowest = max(slowest, time.monotonic() - begun)
        return answers

    with Client(supervisor.server.url, timeout_s=600) as client, ThreadPoolExecutor(CALLERS) as pool:
        asking = [pool.submit(keep_asking) for _ in range(CALLERS)]
        for _ in range(deaths):
            time.sleep(2)  # a caller may be waiting for its next try
            died = supervisor.server
            died.signal(signal.SIGKILL)
            while supervisor.server is died:
                time.sleep(0.05)
        over.set()
        return [answer for each in asking for answer in each.result()], slowest


@pytest.mark.slow
def test_a_client_has_all_its_answers_though_the_server_is_killed(
    bundle: Bundle, picture: bytes, tmp_path: Path, record: Record
) -> None:
    supervisor = Supervisor(tmp_path, bundle)
    try:
        answers, slowest = ask_through_deaths(supervisor, picture, DEATHS)
        memory = supervisor.server.memory_mb()
    finally:
        supervisor.close()

    wrong = sum(not np.array_equal(answer.ids, answers[0].ids) for answer in answers)
    record(Row("kill -9, client retries", DEATHS, 0, wrong, slowest, memory))
    assert len(answers) > CALLERS
    assert wrong == 0
