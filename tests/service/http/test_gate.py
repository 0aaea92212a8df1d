"""The gate: so many pass at once, and the others in their order."""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any

from service.http.gate import Gate
from service.pipeline.queue import Priority, clock


async def settle() -> None:
    """Let callbacks that wait for each other run."""
    for _ in range(10):
        await asyncio.sleep(0)


def entering(gate: Gate, *, priority: Priority = Priority.INTERACTIVE, deadline: float = math.inf) -> Any:
    return asyncio.ensure_future(gate.enter(priority, deadline))


def run(scene: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scene, 10))


def test_as_many_pass_as_there_are_places_and_the_next_waits_for_one() -> None:
    async def scene() -> list[bool]:
        gate = Gate(2, ageing_s=60)
        first, second, third = (entering(gate) for _ in range(3))
        await asyncio.gather(first, second)
        await settle()
        before = third.done()
        gate.leave()
        await third
        return [before, third.done()]

    assert run(scene()) == [False, True]


def test_who_waits_passes_by_priority_then_deadline() -> None:
    async def scene() -> list[str]:
        gate, passed = Gate(1, ageing_s=60), []
        await gate.enter(Priority.INTERACTIVE, math.inf)
        waiting = {
            "batch": entering(gate, priority=Priority.BATCH),
            "late": entering(gate),
            "soon": entering(gate, deadline=clock() + 100),
        }
        for name, task in waiting.items():
            task.add_done_callback(lambda _, name=name: passed.append(name))
        for _ in waiting:
            await settle()
            gate.leave()
        await asyncio.gather(*waiting.values())
        await settle()
        return passed

    assert run(scene()) == ["soon", "late", "batch"]


def test_who_leaves_while_waiting_is_passed_over() -> None:
    async def scene() -> int:
        gate = Gate(1, ageing_s=60)
        await gate.enter(Priority.INTERACTIVE, math.inf)
        gone, there = entering(gate), entering(gate)
        await settle()
        gone.cancel()
        await settle()
        waiting = gate.waiting
        gate.leave()
        await there
        return waiting

    assert run(scene()) == 1


def test_a_place_that_was_given_to_one_who_left_at_this_moment_is_not_lost() -> None:
    async def scene() -> None:
        gate = Gate(1, ageing_s=60)
        await gate.enter(Priority.INTERACTIVE, math.inf)
        waiting = entering(gate)
        await settle()
        gate.leave()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await gate.enter(Priority.INTERACTIVE, math.inf)

    run(scene())
