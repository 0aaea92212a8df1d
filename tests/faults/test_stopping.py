"""Stopping: a process that is told to end answers all that it accepted."""

import asyncio
import signal
from pathlib import Path

import pytest

from model.bundle import Bundle
from tests.faults.caller import Answer, Caller, ask_all, distinct, get, keep_asking, request
from tests.faults.conftest import toy_arguments
from tests.faults.server_process import ServerProcess, running
from tests.faults.sick_server import SLOW_S
from tests.faults.table import Record, Row

CALLERS = 4


def turned_away(answer: Answer) -> bool:
    return answer.refused or answer.lost or answer.status == 503


def many(picture: bytes, count: int, **headers: str) -> list[bytes]:
    """So many requests, no two alike."""
    return [request(distinct(picture, number), **headers) for number in range(count)]


async def load_until_stopped(server: ServerProcess, contents: list[bytes]) -> list[Answer]:
    """Ask by some callers all the time, and stop the server in the midst of it."""
    callers = [asyncio.create_task(keep_asking(server.port, content, turned_away)) for content in contents]
    await asyncio.sleep(0.4)
    server.signal(signal.SIGTERM)
    return [answer for answers in await asyncio.gather(*callers) for answer in answers]


@pytest.mark.parametrize("rounds", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_sigterm_under_load_loses_no_request(
    rounds: int, bundle: Bundle, picture: bytes, tmp_path: Path, record: Record
) -> None:
    contents = many(picture, CALLERS, Accept="image/png", X_Request_ID="same")
    answers, codes, memory = [], [], 0.0
    for number in range(rounds):
        # Every second round without a lame duck: then all connections are in use when the port closes.
        lame_duck_s = "0.3" if number % 2 == 0 else "0"
        with running(tmp_path, *toy_arguments(bundle), "--lame-duck-s", lame_duck_s) as server:
            memory = max(memory, server.memory_mb())
            answers += asyncio.run(load_until_stopped(server, contents))
            codes.append(server.end())

    served = [answer for answer in answers if answer.status == 200]
    wrong = sum(answer.body != served[0].body for answer in served)
    wrong += sum(answer.status not in (0, 200, 503) for answer in answers) + sum(code != 0 for code in codes)
    lost = sum(answer.lost for answer in answers)
    record(Row("SIGTERM under load", rounds, lost, wrong, max(each.seconds for each in served), memory))
    assert len(served) > rounds * CALLERS
    assert (lost, wrong) == (0, 0)


def test_a_lame_duck_is_not_ready_serves_and_closes_connections(
    bundle: Bundle, picture: bytes, tmp_path: Path
) -> None:
    async def visit(server: ServerProcess) -> tuple[list[Answer], Answer, Answer]:
        kept = Caller(server.port)
        before = await kept.ask(request(picture))
        server.signal(signal.SIGTERM)
        ready = Caller(server.port)
        while (state := await ready.ask(get("/readyz"))).status == 200:
            await asyncio.sleep(0.01)
        answers = [before, await kept.ask(request(picture)), *await ask_all(server.port, [request(picture)])]
        live = await ready.ask(get("/livez"))
        ready.close()
        server.signal(signal.SIGTERM)  # it hurries
        return answers, state, live

    with running(tmp_path, *toy_arguments(bundle), "--lame-duck-s", "600") as server:
        answers, state, live = asyncio.run(visit(server))
        code = server.end()

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [answer.headers.get("connection") for answer in answers] == [None, "close", "close"]
    assert (state.status, live.status, code) == (503, 200, 0)


def test_what_waits_for_the_engine_is_answered_and_what_comes_later_is_refused(
    bundle: Bundle, picture: bytes, tmp_path: Path
) -> None:
    async def visit(server: ServerProcess) -> tuple[list[Answer], Answer]:
        idle = Caller(server.port)
        await idle.ask(get("/livez"))
        waiting = asyncio.create_task(ask_all(server.port, many(picture, 12)))
        await asyncio.sleep(2 * SLOW_S)
        server.signal(signal.SIGINT)  # no lame duck
        await asyncio.sleep(SLOW_S)
        late = await idle.ask(request(picture))
        return await waiting, late

    with running(tmp_path, *toy_arguments(bundle), "--max-batch", "1", sick="slow") as server:
        accepted, late = asyncio.run(visit(server))
        code = server.end()

    assert [answer.status for answer in accepted] == [200] * 12
    assert (late.status, late.headers["connection"]) == (503, "close")
    assert b"/problems/not-ready" in late.body
    assert code == 0


def test_what_is_not_done_when_the_drain_ends_is_answered_too(
    bundle: Bundle, picture: bytes, tmp_path: Path
) -> None:
    async def visit(server: ServerProcess) -> list[Answer]:
        waiting = asyncio.create_task(ask_all(server.port, many(picture, 40)))
        await asyncio.sleep(3 * SLOW_S)
        server.signal(signal.SIGINT)
        return await waiting

    with running(
        tmp_path, *toy_arguments(bundle), "--max-batch", "1", "--drain-s", "1", sick="slow"
    ) as server:
        answers = asyncio.run(visit(server))
        code = server.end()

    assert {answer.status for answer in answers} == {200, 503}
    assert all(b"/problems/not-ready" in answer.body for answer in answers if answer.status == 503)
    assert code == 0


@pytest.mark.slow
def test_an_engine_that_hangs_while_the_server_stops_does_not_keep_it(
    bundle: Bundle, poison: bytes, tmp_path: Path
) -> None:
    async def visit(server: ServerProcess) -> list[Answer]:
        waiting = asyncio.create_task(ask_all(server.port, [request(poison)]))
        await asyncio.sleep(0.5)
        server.signal(signal.SIGINT)
        return await waiting

    with running(tmp_path, *toy_arguments(bundle), "--drain-s", "1", sick="hang") as server:
        (answer,) = asyncio.run(visit(server))
        code = server.end()

    assert answer.status == 503
    assert code == 3
