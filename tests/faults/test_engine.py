"""A sick engine: one picture harms nobody else, and an engine that is lost ends its process well."""

import asyncio
import time
from pathlib import Path

import pytest

from model.bundle import Bundle
from tests.faults.caller import Answer, Caller, ask_all, ask_once, distinct, get, request
from tests.faults.conftest import toy_arguments
from tests.faults.server_process import running
from tests.faults.table import Record, Row

ENGINE_LOST = 3


@pytest.mark.parametrize("symptom", ["raise", "nan"])
@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_a_picture_that_the_engine_chokes_on_fails_alone(
    symptom: str,
    rounds: int,
    bundle: Bundle,
    picture: bytes,
    poison: bytes,
    tmp_path: Path,
    record: Record,
) -> None:
    with running(tmp_path, *toy_arguments(bundle), sick=symptom) as server:
        pictures = [picture] * 5 + [poison] + [picture] * 2
        contents = [request(distinct(each, number)) for number, each in enumerate(pictures)]
        answers = [asyncio.run(ask_all(server.port, contents)) for _ in range(rounds)]
        alive = asyncio.run(ask_once(server.port, get("/livez")))
        memory = server.memory_mb()

    good = [answer for each in answers for answer in (*each[:5], *each[6:])]
    bad = [each[5] for each in answers]
    wrong = sum(answer.status != 200 for answer in good) + sum(
        answer.status not in (500, 503) for answer in bad
    )
    lost = sum(answer.lost for answer in (*good, *bad))
    slowest = max(answer.seconds for answer in (*good, *bad))
    record(Row(f"engine: {symptom}", rounds * 8, lost, wrong, slowest, memory))
    assert (lost, wrong, alive.status) == (0, 0, 200)


async def lose_the_engine(
    port: int, poison: bytes, picture: bytes, pushes: int
) -> tuple[list[Answer], Answer, Answer]:
    """Harm the engine, let others wait for it, and look at the probe until it says so."""
    waiting = asyncio.create_task(
        ask_all(port, [request(distinct(poison, number)) for number in range(pushes)])
    )
    await asyncio.sleep(0.2)
    others = asyncio.create_task(ask_all(port, [request(distinct(picture, number)) for number in range(8)]))
    probe = Caller(port)
    until = time.monotonic() + 60
    while (live := await probe.ask(get("/livez"))).status == 200:
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
    probe.close()
    late = await ask_once(port, request(picture))
    return [*await waiting, *await others], live, late


@pytest.mark.parametrize(
    ("symptom", "pushes"),
    [
        ("hang", 1),
        ("die", 4),
        pytest.param("hang", 8, marks=pytest.mark.slow),
        pytest.param("die", 40, marks=pytest.mark.slow),
    ],
)
def test_an_engine_that_is_lost_fails_its_probe_answers_all_and_ends_with_its_own_code(
    symptom: str,
    pushes: int,
    bundle: Bundle,
    picture: bytes,
    poison: bytes,
    tmp_path: Path,
    record: Record,
) -> None:
    arguments = (*toy_arguments(bundle), "--engine-timeout-s", "1", "--max-batch", "1")
    with running(tmp_path, *arguments, sick=symptom) as server:
        memory = server.memory_mb()
        answers, live, late = asyncio.run(lose_the_engine(server.port, poison, picture, pushes))
        code = server.end()

    lost = sum(answer.lost for answer in answers)
    wrong = sum(answer.status not in (500, 503) for answer in (*answers, live, late)) + (code != ENGINE_LOST)
    slowest = max(answer.seconds for answer in answers)
    record(Row(f"engine: {symptom}", len(answers), lost, wrong, slowest, memory))
    assert (lost, wrong) == (0, 0)
    assert b"/problems/engine-lost" in live.body
    assert b"/problems/engine-lost" in late.body
