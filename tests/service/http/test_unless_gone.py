"""Work for a caller: dropped as soon as it leaves, and whoever does it goes on as if nothing had been."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from service.http.context import CLIENT_GONE
from service.http.walk import unless_gone


class Caller:
    """Leaves when it is told to."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.request = Request({"type": "http", "state": {}}, self.receive)

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def _calm() -> int:
    """Wait once more, in the same task: how many times it is asked to end."""
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def _serve(work: Coroutine[Any, Any, Response], caller: Caller) -> tuple[int, int]:
    response = await unless_gone(work, caller.request)
    return response.status_code, await _calm()


async def _answer() -> Response:
    return Response()


def test_who_stays_is_answered() -> None:
    async def run() -> None:
        assert await _serve(_answer(), Caller()) == (200, 0)
        assert len(asyncio.all_tasks()) == 1  # nobody watches any more

    asyncio.run(run())


def test_who_leaves_has_its_work_dropped() -> None:
    async def run() -> None:
        caller, dropped = Caller(), asyncio.Event()

        async def work() -> Response:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                dropped.set()
                raise
            return Response()

        serving = asyncio.create_task(_serve(work(), caller))
        await asyncio.sleep(0)
        caller.left.set()
        assert await serving == (CLIENT_GONE, 0)
        assert dropped.is_set()
        assert caller.request.state.gone

    asyncio.run(run())


@pytest.mark.parametrize("turns", range(6))
def test_who_leaves_as_its_work_ends_harms_nobody(turns: int) -> None:
    async def run() -> None:
        caller, done = Caller(), asyncio.Event()

        async def work() -> Response:
            await done.wait()
            return Response()

        serving = asyncio.create_task(_serve(work(), caller))
        await asyncio.sleep(0)
        caller.left.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        done.set()
        status, asked_to_end = await serving
        assert status in (200, CLIENT_GONE)
        assert asked_to_end == 0

    asyncio.run(run())


@pytest.mark.parametrize("leaves", [False, True])
def test_a_server_that_stops_is_not_taken_for_a_caller_that_left(leaves: bool) -> None:
    async def run() -> None:
        caller = Caller()
        serving = asyncio.create_task(_serve(asyncio.sleep(60, Response()), caller))
        await asyncio.sleep(0)
        if leaves:
            caller.left.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(run())
