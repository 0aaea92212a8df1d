"""Single flight: equal callers share a run, and who leaves does not end it for the others."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, cast

import pytest

from service.http.flights import Flight, Flights, Seen
from service.pipeline.relay import done

SEEN = cast(Seen, object())


class Hall:
    """Flights whose runs wait for a word, and what happened to them."""

    def __init__(self) -> None:
        self.left = 0
        self.begun: list[Flight] = []
        self.flights = Flights(self._leave)

    def _leave(self, place: "Future[None]") -> None:
        self.left += 1

    def _begin(self, flight: Flight) -> None:
        self.begun.append(flight)
        flight.place, flight.seen = done(None), Future()

    async def call(self, key: str = "a") -> tuple[Seen, bool]:
        with self.flights.join(key, self._begin) as (flight, joined):
            return await asyncio.shield(asyncio.wrap_future(flight.seen)), joined


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
        for flight in hall.begun:
            flight.seen.set_result(SEEN)
        return len(hall.begun), [joined for _, joined in await asyncio.gather(*calls)]

    assert run(scene()) == (2, [False, True, False])


def test_the_first_that_leaves_does_not_end_the_run_for_the_second() -> None:
    async def scene() -> Seen:
        hall = Hall()
        first, second = (asyncio.ensure_future(hall.call()) for _ in range(2))
        await settle()
        first.cancel()
        await settle()
        assert not hall.begun[0].seen.cancelled() and hall.left == 0
        hall.begun[0].seen.set_result(SEEN)
        return (await second)[0]

    assert run(scene()) is SEEN


def test_the_last_that_leaves_ends_the_run_and_gives_its_place_back() -> None:
    async def scene() -> None:
        hall = Hall()
        calls = [asyncio.ensure_future(hall.call()) for _ in range(2)]
        await settle()
        flight = hall.begun[0]
        submitted = flight.submit(Future())
        for call in calls:
            call.cancel()
        await settle()
        assert flight.seen.cancelled() and submitted.cancelled() and hall.left == 1

    run(scene())


def test_a_run_that_nobody_waits_for_is_not_queued_for_the_engine() -> None:
    flight = Flight()
    flight.place, flight.seen = done(None), Future()
    flight.end()
    assert flight.submit(Future()).cancelled()


def test_where_a_run_is() -> None:
    flight = Flight()
    flight.place, flight.seen = Future(), Future()
    stages = [flight.stage]
    flight.place.set_result(None)
    stages.append(flight.stage)
    submitted = flight.submit(Future())
    stages.append(flight.stage)
    submitted.set_running_or_notify_cancel()
    stages.append(flight.stage)
    flight.seen.set_result(SEEN)
    assert [*stages, flight.stage] == ["wait", "decode", "queue", "infer", "merge"]


def test_a_run_that_failed_fails_all_its_callers_and_the_next_begins_anew() -> None:
    async def scene() -> tuple[list[Any], int]:
        hall = Hall()
        calls = [asyncio.ensure_future(hall.call()) for _ in range(2)]
        await settle()
        hall.begun[0].seen.set_exception(ArithmeticError("13"))
        errors = await asyncio.gather(*calls, return_exceptions=True)
        again = asyncio.ensure_future(hall.call())
        await settle()
        hall.begun[1].seen.set_exception(ArithmeticError("14"))
        with pytest.raises(ArithmeticError, match="14"):
            await again
        return errors, len(hall.begun)

    errors, begun = run(scene())
    assert [type(error) for error in errors] == [ArithmeticError] * 2
    assert begun == 2
