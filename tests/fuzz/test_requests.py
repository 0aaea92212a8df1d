"""Mutated requests over a socket: answered below 500 or not at all, and the server is as well afterwards as before."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest

from model.bundle import Bundle
from tests.faults.caller import ask_once, get, read_answer, request
from tests.faults.conftest import toy_arguments
from tests.faults.server_process import ServerProcess, running
from tests.faults.table import Record, Row
from tests.fuzz.mutation import mutate
from tests.fuzz.seeds import seeds
from tests.service.toy import write_toy

AT_ONCE = 16
PATIENCE_S = 0.3  # a request that was cut has no answer
LOOK = {200, 400, 413, 422}  # of pictures whose request is sound


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("fuzz")
    bundle: Bundle = write_toy(folder / "toy")
    with running(folder, *toy_arguments(bundle), "--max-queue", "64") as server:
        yield server


def requests() -> list[bytes]:
    """Sound requests of every kind."""
    _, picture = seeds()[0]
    form = (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n" + picture + b"\r\n--x--\r\n"
    )
    chunked = b"POST /v1/panoptic HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n" % len(picture) + picture + b"\r\n0\r\n\r\n"
    urgent = {"X_Request_Timeout_Ms": "5000", "X_Priority": "batch", "X_Request_ID": "a-b.c"}
    return [
        request(picture),
        request(picture, Content_Type="image/jpeg", Accept="image/png;q=0.5, application/json", **urgent),
        request(picture, "/v1/panoptic?format=overlay&min_score=0.5&nms_kernel=7&stuff_area=9"),
        request(form, Content_Type="multipart/form-data; boundary=x"),
        request(picture, Expect="100-continue"),
        request(b'{"image": {"b64": "aGVsbG8="}}', Content_Type="application/json"),
        chunked,
        *(
            get(path)
            for path in ("/", "/v1/model", "/readyz", "/metrics", "/openapi.json", "/problems/queue-full")
        ),
    ]


@dataclass(frozen=True)
class Said:
    """What came back, and when."""

    status: int  # 0: nothing
    seconds: float


async def say(port: int, content: bytes, patience_s: float) -> Said:
    """Send bytes and wait a moment for an answer."""
    begun = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    try:
        writer.write(content)
        while True:
            status, _, _ = await asyncio.wait_for(read_answer(reader), patience_s)
            if status != 100:
                return Said(status, time.perf_counter() - begun)
    except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
        return Said(0, 0.0)
    finally:
        writer.close()


async def say_all(port: int, contents: list[bytes], patience_s: float = PATIENCE_S) -> list[Said]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(content: bytes) -> Said:
        async with gate:
            return await say(port, content, patience_s)

    return await asyncio.gather(*(one(content) for content in contents))


def cpu_s(server: ServerProcess) -> float:
    times = psutil.Process(server.process.pid).cpu_times()
    return float(times.user + times.system)


def check_is_well(server: ServerProcess) -> None:
    """It answers a picture, and nobody saw an error that nobody foresaw."""
    _, picture = seeds()[0]
    assert asyncio.run(ask_once(server.port, request(picture))).status == 200
    assert "Traceback" not in server.said()


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_mutated_request_is_answered_below_500_or_not_at_all(
    count: int, server: ServerProcess, record: Record
) -> None:
    originals = requests()
    asyncio.run(say_all(server.port, originals))
    before_mb, before_s = server.memory_mb(), cpu_s(server)

    said = asyncio.run(say_all(server.port, [mutate(number, originals) for number in range(count)]))

    statuses, slowest_s = Counter(each.status for each in said), max(each.seconds for each in said)
    wrong = sum(each.status >= 500 for each in said)
    grown_mb = server.memory_mb() - before_mb
    record(Row("fuzz: requests", count, 0, wrong, slowest_s, grown_mb))
    assert wrong == 0
    assert statuses[200] > count / 50
    assert statuses[400] > 0
    assert grown_mb < 60
    assert (cpu_s(server) - before_s) / count < 0.1
    check_is_well(server)


@pytest.mark.parametrize("count", [100, pytest.param(5000, marks=pytest.mark.slow)])
def test_a_mutated_picture_over_http_is_answered_or_refused(
    count: int, server: ServerProcess, record: Record
) -> None:
    originals = [content for _, content in seeds()]
    pictures = [request(mutate(number, originals)) for number in range(count)]
    asyncio.run(say_all(server.port, pictures[:50]))
    before_mb = server.memory_mb()

    said = asyncio.run(say_all(server.port, pictures, patience_s=30))

    lost, wrong = sum(each.status == 0 for each in said), sum(each.status not in {0, *LOOK} for each in said)
    grown_mb = server.memory_mb() - before_mb
    record(Row("fuzz: pictures over HTTP", count, lost, wrong, max(each.seconds for each in said), grown_mb))
    assert (lost, wrong) == (0, 0)
    assert grown_mb < 60
    check_is_well(server)
