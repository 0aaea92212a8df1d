"""Reloading: another bundle takes the place of the one that serves, between two requests and never within one."""

import asyncio
import shutil
import signal
import time
from pathlib import Path

import pytest

from model.bundle import MODEL, Bundle, read_bundle, write_manifest
from tests.faults.caller import Answer, Caller, ask_all, ask_once, distinct, get, request
from tests.faults.conftest import toy_arguments
from tests.faults.server_process import ServerProcess, running
from tests.faults.table import Record, Row
from tests.service.toy import write_toy

CALLERS = 4


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Bundle]:
    """Two bundles that answer one picture with other ids."""
    folder = tmp_path_factory.mktemp("twins")
    one, other = write_toy(folder / "one"), write_toy(folder / "other")
    merging = other.manifest.merging.model_copy(update={"label_divisor": 2000})
    write_manifest(other.path, other.manifest.model_copy(update={"merging": merging, "version": "2.0"}))
    return one, read_bundle(other.path)


def turn(link: Path, target: Path) -> None:
    """Let a link lead elsewhere, in one step."""
    following = link.with_name("following")
    following.symlink_to(target)
    following.replace(link)


def reloads(server: ServerProcess) -> int:
    return int(server.metric("panoptic_reloads_total"))


def reload(server: ServerProcess) -> None:
    """Tell it to, and wait until it has."""
    before = reloads(server)
    server.signal(signal.SIGHUP)
    while reloads(server) == before:
        time.sleep(0.02)


async def load_while_reloading(
    server: ServerProcess, link: Path, turns: list[Path], contents: list[bytes]
) -> list[Answer]:
    over = asyncio.Event()
    answers: list[Answer] = []

    async def keep_asking(content: bytes) -> None:
        caller = Caller(server.port)
        while not over.is_set():
            answers.append(await caller.ask(content))
        caller.close()

    callers = [asyncio.create_task(keep_asking(content)) for content in contents]
    for target in turns:
        turn(link, target)
        await asyncio.to_thread(reload, server)
    over.set()
    await asyncio.gather(*callers)
    return answers


def digest(answer: Answer) -> str:
    return answer.body.partition(b'"digest":"')[2][:64].decode()


def picture_of(answer: Answer) -> bytes:
    return answer.body.partition(b'"panoptic_png":"')[2].partition(b'"')[0]


@pytest.mark.parametrize("rounds", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_a_reload_under_load_loses_nothing_and_mixes_nothing(
    rounds: int,
    twins: tuple[Bundle, Bundle],
    picture: bytes,
    tmp_path: Path,
    record: Record,
) -> None:
    link = tmp_path / "current"
    link.symlink_to(twins[0].path)
    contents = [request(distinct(picture, number), X_Request_ID="same") for number in range(CALLERS)]
    turns = [twins[(number + 1) % 2].path for number in range(rounds)]

    with running(tmp_path, *toy_arguments(link), "--lame-duck-s", "0") as server:
        warm = asyncio.run(load_while_reloading(server, link, turns[:2], contents))
        before = server.memory_mb()
        answers = asyncio.run(load_while_reloading(server, link, turns[2:], contents)) + warm
        grown = server.memory_mb() - before
        swapped = server.metric("panoptic_reloads_total")
        server.signal(signal.SIGTERM)
        code = server.end()

    own = {digest(answer): picture_of(answer) for answer in reversed(answers)}
    wrong = sum(answer.status != 200 or picture_of(answer) != own[digest(answer)] for answer in answers)
    lost = sum(answer.lost for answer in answers)
    record(Row("reload under load", rounds, lost, wrong, max(each.seconds for each in answers), grown))
    assert set(own) == {twin.digest for twin in twins}
    assert len(set(own.values())) == 2
    assert (lost, wrong, swapped, code) == (0, 0, rounds, 0)
    assert grown < 100


@pytest.mark.parametrize("tries", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_a_bundle_that_fails_or_is_gone_leaves_the_old_one_serving(
    tries: int, bundle: Bundle, picture: bytes, tmp_path: Path, record: Record
) -> None:
    own = tmp_path / "own"
    shutil.copytree(bundle.path, own)
    with running(tmp_path, *toy_arguments(own), "--lame-duck-s", "0") as server:
        reload(server)
        (own / MODEL).write_bytes(b"broken")
        reload(server)
        shutil.rmtree(own)
        reload(server)
        contents = [request(distinct(picture, number)) for number in range(tries)]
        answers = asyncio.run(ask_all(server.port, contents))
        model = asyncio.run(ask_once(server.port, get("/v1/model")))
        memory = server.memory_mb()
        kept = server.metric('panoptic_reloads_total\\{result="kept"\\}')
        server.signal(signal.SIGTERM)
        code = server.end()

    said = server.said()
    lost, wrong = sum(answer.lost for answer in answers), sum(answer.status != 200 for answer in answers)
    slowest = max(answer.seconds for answer in answers)
    record(Row("deleted or broken bundle", tries, lost, wrong, slowest, memory))
    assert (lost, wrong, model.status, code) == (0, 0, 200, 0)
    assert kept == 2
    assert f"toy 1.0 ({bundle.digest[:12]}) goes on serving; the bundle cannot take its place" in said
    assert "Traceback" not in said
