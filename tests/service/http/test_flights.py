"""Single flight: equal callers share a run, and who leaves does not end it for the others."""

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import pytest

from service.http.flights import Flight, Flights, Seen

SEEN = cast(Seen, object())


class Hall:
    """Flights whose runs wait for a word, and what happened to them."""

    def __init__(self) -> None:
        self.ended = 0
        self.begun = self.dropped = 0
        self.word = asyncio.Event()
        self.error: Exception | None = None
        self.flights = Flights(self._end)

    def _end(self) -> None:
        self.ended += 1

    async def _run(self, flight: Flight) -> Seen:
        self.begun += 1
        flight.enter()
        try:
            await self.word.wait()
        except asyncio.CancelledError:
            self.dropped += 1
            raise
        if self.error is not None:
            raise self.error
        return SEEN

    async def call(self, key: str = "a") -> tuple[Seen, bool]:
        async with self.flights.join(key, self._run) as (flight, joined):
            return await flight.seen(), joined


def run(scene: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scene, 10))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_equal_callers_share_one_run_and_others_do_not() -> None:
    async def scene() -> tuple[int, list[bool]]:
        hall = Hall()
        calls = [asyncio.ensure_future(hall.call(key)) for key in "aab"]
        await settle()
        hall.word.set()
        return hall.begun, [joined for _, joined in await asyncio.gather(*calls)]

    assert run(scene()) == (2, [False, True, False])


def test_the_first_that_leaves_does_not_end_the_run_for_the_second() -> None:
    async def scene() -> tuple[Seen, int]:
        hall = Hall()
        first, second = (asyncio.ensure_future(hall.call()) for _ in range(2))
        await settle()
        first.cancel()
        await settle()
        hall.word.set()
        return (await second)[0], hall.dropped

    assert run(scene()) == (SEEN, 0)


def test_the_last_that_leaves_ends_the_run_and_gives_its_place_back() -> None:
    async def scene() -> tuple[int, int]:
        hall = Hall()
        calls = [asyncio.ensure_future(hall.call()) for _ in range(2)]
        await settle()
        for call in calls:
            call.cancel()
        await settle()
        return hall.dropped, hall.ended

    assert run(scene()) == (1, 1)


def test_a_run_that_failed_fails_all_its_callers_and_the_next_begins_anew() -> None:
    async def scene() -> tuple[list[Any], int]:
        hall = Hall()
        hall.error = ArithmeticError("13")
        calls = [asyncio.ensure_future(hall.call()) for _ in range(2)]
        await settle()
        hall.word.set()
        errors = await asyncio.gather(*calls, return_exceptions=True)
        with pytest.raises(ArithmeticError):
            await hall.call()
        return errors, hall.begun

    errors, begun = run(scene())
    assert [type(error) for error in errors] == [ArithmeticError] * 2
    assert begun == 2
