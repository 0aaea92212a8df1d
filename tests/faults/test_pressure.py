"""Pressure: more callers than the server can answer, callers who leave, and callers who dawdle."""

import asyncio
import time
from pathlib import Path

import pytest

from model.bundle import Bundle
from tests.faults.caller import Answer, Caller, ask_all, ask_once, distinct, read_answer, request, ticks
from tests.faults.conftest import toy_arguments
from tests.faults.server_process import ServerProcess, running
from tests.faults.sick_server import SLOW_S
from tests.faults.table import Record, Row

CAPACITY = 1 / SLOW_S  # photographs a second, of the slow engine without batches
QUEUE = 16
DEADLINE_MS = 10_000
SLACK_S = 2.0  # other work on the machine delays the callers too


def urgent(picture: bytes, number: int) -> bytes:
    return request(distinct(picture, number), X_Request_Timeout_Ms=str(DEADLINE_MS))


async def overload(port: int, picture: bytes, seconds: float) -> list[Answer]:
    """Ask at ten times the capacity, whatever comes back."""
    asked = []
    async for number in ticks(10 * CAPACITY, seconds):
        asked.append(asyncio.create_task(ask_once(port, urgent(picture, number))))
    return await asyncio.gather(*asked)


@pytest.mark.parametrize("seconds", [1, pytest.param(30, marks=pytest.mark.slow)])
def test_at_ten_times_the_capacity_what_is_accepted_is_in_time_and_the_rest_is_told_when_to_come(
    seconds: int, bundle: Bundle, picture: bytes, tmp_path: Path, record: Record
) -> None:
    arguments = (*toy_arguments(bundle), "--max-batch", "1", "--max-queue", str(QUEUE))
    with running(tmp_path, *arguments, sick="slow") as server:
        asyncio.run(ask_all(server.port, [urgent(picture, number) for number in range(QUEUE)]))
        before = server.memory_mb()
        answers = asyncio.run(overload(server.port, picture, seconds))
        grown = server.memory_mb() - before

    served = [answer for answer in answers if answer.status == 200]
    turned = [answer for answer in answers if answer.status == 429]
    late = sum(answer.seconds > DEADLINE_MS / 1000 + SLACK_S for answer in served)
    wrong = late + sum("retry-after" not in answer.headers for answer in turned)
    wrong += len(answers) - len(served) - len(turned)
    lost = sum(answer.lost for answer in answers)
    quick = sorted(answer.seconds for answer in turned)[int(len(turned) * 0.99)]
    record(
        Row("overload, 10 x: accepted", len(served), lost, wrong, max(each.seconds for each in served), grown)
    )
    record(Row("overload, 10 x: 429 (p99)", len(turned), 0, 0, quick, grown))
    assert len(served) >= QUEUE
    assert (lost, wrong) == (0, 0)
    assert grown < 200


async def hang_up(port: int, content: bytes) -> None:
    """Send a whole request, and leave before its answer."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(content)
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.close()


async def hang_up_often(server: ServerProcess, picture: bytes, times: int) -> Answer:
    for wave in range(0, times, 25):
        contents = [request(distinct(picture, wave + number)) for number in range(25)]
        await asyncio.gather(*(hang_up(server.port, content) for content in contents))
    return await ask_once(server.port, request(picture))


@pytest.mark.parametrize("times", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_the_work_of_those_who_hang_up_is_not_done(
    times: int, bundle: Bundle, picture: bytes, tmp_path: Path, record: Record
) -> None:
    arguments = (*toy_arguments(bundle), "--max-batch", "1", "--max-queue", "2000")
    with running(tmp_path, *arguments, sick="slow") as server:
        before = server.memory_mb()
        begun = time.perf_counter()
        answer = asyncio.run(hang_up_often(server, picture, times))
        seconds = time.perf_counter() - begun
        done = int(server.metric("panoptic_batch_images_sum"))
        waiting = server.metric("panoptic_queue_depth") + server.metric("panoptic_inflight_requests")
        grown = server.memory_mb() - before

    could = int(seconds / SLOW_S) + 1  # the engine was never idle; all else it did not begin
    record(Row("hang-ups", times, int(answer.lost), int(waiting), answer.seconds, grown))
    assert answer.status == 200
    assert waiting == 0
    assert done <= could
    assert done < times / 2
    assert grown < 100


async def dawdle(port: int, content: bytes, seconds: float, at_once: int = 0) -> Answer:
    """Send a request byte by byte, the first ones at once, and say how it ended."""
    begun = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(read_answer(reader))
    try:
        writer.write(content[:at_once])
        for byte in content[at_once:]:
            writer.write(bytes([byte]))
            await asyncio.wait({reading}, timeout=0.2)
            if reading.done() or time.perf_counter() - begun > seconds:
                break
        status, headers, body = await asyncio.wait_for(reading, 1)
        return Answer(status, headers, body, time.perf_counter() - begun)
    except (OSError, EOFError, TimeoutError):
        return Answer(0, seconds=time.perf_counter() - begun, refused=True)
    finally:
        writer.close()


async def dawdle_and_ask(
    port: int, content: bytes, slow: int, seconds: float
) -> tuple[list[Answer], list[Answer]]:
    dawdling = [asyncio.create_task(dawdle(port, content, seconds)) for _ in range(slow)]
    caller, quick = Caller(port), []
    for _ in range(20):
        quick.append(await caller.ask(content))
        await asyncio.sleep(0.05)
    caller.close()
    return quick, list(await asyncio.gather(*dawdling))


@pytest.mark.parametrize(("slow", "seconds"), [(50, 1), pytest.param(200, 5, marks=pytest.mark.slow)])
def test_slow_senders_keep_nobody_waiting(
    slow: int, seconds: int, bundle: Bundle, picture: bytes, tmp_path: Path, record: Record
) -> None:
    arguments = (*toy_arguments(bundle), "--max-queue", "1000")
    with running(tmp_path, *arguments) as server:
        before = server.memory_mb()
        quick, _ = asyncio.run(dawdle_and_ask(server.port, request(picture), slow, seconds))
        grown = server.memory_mb() - before

    lost = sum(answer.lost for answer in quick)
    wrong = sum(answer.status != 200 for answer in quick)
    record(Row("slow senders: others", len(quick), lost, wrong, max(each.seconds for each in quick), grown))
    assert (lost, wrong) == (0, 0)


@pytest.mark.parametrize("at_once", [0, 90], ids=["of headers", "of a body"])
@pytest.mark.parametrize("slow", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_slow_senders_are_cut(
    slow: int, at_once: int, bundle: Bundle, picture: bytes, tmp_path: Path, record: Record
) -> None:
    async def visit(port: int) -> list[Answer]:
        content = request(picture)
        return await asyncio.gather(*(dawdle(port, content, 20, at_once) for _ in range(slow)))

    limits = ("--head-timeout-s", "1", "--body-timeout-s", "1", "--max-queue", "1000")
    arguments = (*toy_arguments(bundle), *limits)
    with running(tmp_path, *arguments) as server:
        before = server.memory_mb()
        answers = asyncio.run(visit(server.port))
        grown = server.memory_mb() - before

    wrong = sum(answer.status not in (0, 408) for answer in answers)
    uncut = sum(answer.seconds >= 20 for answer in answers)
    record(
        Row("slow senders: cut", len(answers), 0, wrong + uncut, max(each.seconds for each in answers), grown)
    )
    assert (wrong, uncut) == (0, 0)
