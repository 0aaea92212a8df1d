"""The queue beside a plain one, which looks at all that wait each time it is asked."""

import math
import random
import sys
import weakref

import pytest

from service.pipeline.queue import Priority, Queue, Waiting

AGEING_S = 10
EVENTS = 300
ENDLESS = math.inf
Item = Waiting[None, None]


def first_of(items: list[Item], now: float) -> Item | None:
    """Who leaves first: by priority, which ageing raises, then deadline, then arrival."""

    def rank(place: int) -> tuple[int, float, int]:
        item = items[place]
        return (0 if now - item.since >= AGEING_S else item.priority, item.deadline, place)

    return items[min(range(len(items)), key=rank)] if items else None


@pytest.mark.parametrize("seed", range(20))
def test_the_first_leaves_in_whatever_order_they_came_and_were_cancelled_and_aged(seed: int) -> None:
    draw = random.Random(seed)
    queue: Queue[None, None] = Queue(max_items=EVENTS, max_weight=EVENTS, ageing_s=AGEING_S)
    waiting: list[Item] = []
    now = 0.0
    for _ in range(EVENTS):
        now += draw.choice((0, 0.5, 3))
        event = draw.choice(("come", "come", "come", "cancel", "take", "take"))
        if event == "come":
            priority, deadline = draw.choice(list(Priority)), draw.choice((now + 5, now + 30, ENDLESS))
            waiting.append(Waiting(None, None, 1, priority, deadline, since=now))
            queue.put(waiting[-1])
        elif event == "cancel" and waiting:
            waiting.pop(draw.randrange(len(waiting))).future.cancel()
        elif event == "take":
            expected = first_of(waiting, now)
            assert queue.take_first(now) is expected
            if expected is not None:
                waiting.remove(expected)
        assert (len(queue), bool(queue)) == (len(waiting), bool(waiting))
        assert next(iter(queue.alike(now)), None) is first_of(waiting, now)


def test_those_that_were_cancelled_make_room() -> None:
    queue: Queue[None, None] = Queue(max_items=2, max_weight=10, ageing_s=AGEING_S)
    items: list[Item] = [Waiting(None, None, 5, Priority.BATCH, ENDLESS, since=0) for _ in range(3)]
    for item in items[:2]:
        queue.put(item)
    items[0].future.cancel()
    queue.put(items[2])
    assert (list(queue), queue.weight) == (items[1:], 10)


@pytest.mark.parametrize("priority", Priority)
def test_those_that_were_cancelled_do_not_pile_up_behind_one_that_waits(priority: Priority) -> None:
    queue = endless()
    first: Item = Waiting(None, None, 1, Priority.INTERACTIVE, 1, since=0)
    queue.put(first)
    gone = []
    for _ in range(2000):
        gone.append(come(queue, priority).future)
        gone[-1].cancel()
    seen = [weakref.ref(future) for future in gone]
    gone.clear()
    assert sum(each() is not None for each in seen) < 200
    assert list(queue) == [first]


def test_of_those_that_left_before_they_aged_nothing_is_kept() -> None:
    queue = endless()
    before = sys.getsizeof(queue._ageing)
    for _ in range(2000):
        come(queue, Priority.BATCH)
        queue.take_first(0)
    assert sys.getsizeof(queue._ageing) <= 2 * before


def endless() -> Queue[None, None]:
    """A queue that takes whatever comes, and in which nobody ages."""
    return Queue(max_items=1 << 60, max_weight=1 << 60, ageing_s=math.inf)


def come(queue: Queue[None, None], priority: Priority) -> Item:
    item: Item = Waiting(None, None, 1, priority, ENDLESS, since=0)
    queue.put(item)
    return item
