"""The gate: so many pass at once, and the others in their order."""

import math

from service.http.gate import Gate, Place
from service.pipeline.queue import Priority, clock


def entering(gate: Gate, *, priority: Priority = Priority.INTERACTIVE, deadline: float = math.inf) -> Place:
    return gate.enter(priority, deadline)


def test_as_many_pass_as_there_are_places_and_the_next_waits_for_one() -> None:
    gate = Gate(2, ageing_s=60)
    first, second, third = (entering(gate) for _ in range(3))
    assert [place.done() for place in (first, second, third)] == [True, True, False]
    gate.leave(first)
    assert third.done()


def test_who_waits_passes_by_priority_then_deadline() -> None:
    gate = Gate(1, ageing_s=60)
    passed: list[str] = []
    place = entering(gate)
    waiting = {
        "batch": entering(gate, priority=Priority.BATCH),
        "late": entering(gate),
        "soon": entering(gate, deadline=clock() + 100),
    }
    for _ in range(3):
        gate.leave(place)
        passed += [name for name, each in waiting.items() if each.done() and name not in passed]
        place = waiting[passed[-1]]
    assert passed == ["soon", "late", "batch"]


def test_who_leaves_while_waiting_is_passed_over() -> None:
    gate = Gate(1, ageing_s=60)
    place = entering(gate)
    gone, there = entering(gate), entering(gate)
    gate.leave(gone)
    assert gate.waiting == 1
    gate.leave(place)
    assert there.done() and gone.cancelled()


def test_a_place_that_was_given_to_one_who_left_at_this_moment_is_not_lost() -> None:
    gate = Gate(1, ageing_s=60)
    place = entering(gate)
    waiting = entering(gate)
    gate.leave(place)
    gate.leave(waiting)
    assert entering(gate).done()
