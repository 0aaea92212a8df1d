"""The batcher: what leaves together, what is dropped, and who fails."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import Queue

import pytest

from service.pipeline.batcher import Batcher, BatcherClosed, Release
from service.pipeline.pace import Pace
from service.pipeline.pool import Pool
from service.pipeline.queue import DeadlinePassed, Priority, QueueFull, clock


class Engine:
    """Doubles numbers; it is held until released, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.sizes: list[int] = []
        self.releases: list[Release[int]] = []
        self.late = 0
        self.entered = threading.Event()
        self.free = threading.Event()

    def run(self, items: list[int], size: int) -> list[int]:
        self.batches.append(items)
        self.sizes.append(size)
        self.entered.set()
        assert self.free.wait(10)
        if 13 in items:
            raise ArithmeticError("13")
        return [2 * item for item in items]

    def count_late(self, late: int) -> None:
        self.late += late


def flat_pace(sizes: tuple[int, ...]) -> Pace:
    """Of an engine that takes as long for many as for one."""
    pace = Pace(sizes)
    for size in sizes:
        for key in (True, False):
            pace.learn(key, size, 1000)
    return pace


Start = Callable[..., Batcher[int, int]]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(2, "engine") as pool:
        yield pool


@pytest.fixture
def start(engine: Engine, pool: Pool) -> Iterator[Start]:
    """A batcher whose engine is busy with item 0."""
    started: list[Batcher[int, int]] = []

    def make(
        sizes: tuple[int, ...] = (1, 2, 4),
        max_items: int = 8,
        max_weight: int = 1_000_000,
        ageing_s: float = 60,
        pace: Pace | None = None,
    ) -> Batcher[int, int]:
        batcher: Batcher[int, int] = Batcher(
            engine.run,
            key=lambda item: item >= 100,
            weight=lambda item: item,
            pace=pace or flat_pace(sizes),
            max_items=max_items,
            max_weight=max_weight,
            ageing_s=ageing_s,
            on_release=engine.releases.append,
            on_late=engine.count_late,
            begin=pool.finish,
        )
        started.append(batcher)
        batcher.submit(0)
        assert engine.entered.wait(10)
        return batcher

    yield make
    engine.free.set()
    for batcher in started:
        batcher.close()


def results(futures: list["Future[int]"]) -> list[int]:
    return [future.result(timeout=10) for future in futures]


def test_what_waits_leaves_together_when_the_engine_is_free(start: Start, engine: Engine) -> None:
    batcher = start()
    futures = [batcher.submit(item) for item in (1, 2, 3, 4)]

    engine.free.set()

    assert results(futures) == [2, 4, 6, 8]
    assert engine.batches == [[0], [1, 2, 3, 4]]


def test_a_batch_of_no_allowed_size_is_run_in_the_next_one(start: Start, engine: Engine) -> None:
    batcher = start()
    futures = [batcher.submit(item) for item in (1, 2, 3)]

    engine.free.set()
    results(futures)

    assert (engine.batches[1], engine.sizes[1]) == ([1, 2, 3], 4)


def test_where_company_saves_nothing_each_runs_alone(start: Start, engine: Engine) -> None:
    pace = Pace((1, 2))
    for key in (True, False):
        pace.learn(key, 1, 0.1)
        pace.learn(key, 2, 0.2)
    batcher = start(pace=pace)
    futures = [batcher.submit(item) for item in (1, 2)]

    engine.free.set()
    results(futures)

    assert engine.batches == [[0], [1], [2]]


def test_the_reason_of_a_release_tells_whether_more_waited(start: Start, engine: Engine) -> None:
    batcher = start(sizes=(1, 2))
    futures = [batcher.submit(item) for item in (1, 2, 3)]

    engine.free.set()
    results(futures)

    assert [(len(release.items), release.reason) for release in engine.releases] == [
        (1, "idle"),
        (2, "full"),
        (1, "idle"),
    ]


def test_a_batch_is_cut_where_a_larger_one_would_be_late(start: Start, engine: Engine) -> None:
    pace = Pace((1, 4))
    pace.learn(False, 1, 60)
    pace.learn(False, 4, 120)
    batcher = start(pace=pace)
    futures = [batcher.submit(item, deadline=clock() + 100) for item in (1, 2, 3, 4)]

    engine.free.set()
    results(futures)

    assert engine.releases[1].reason == "deadline"


def test_interactive_items_leave_before_batch_ones(start: Start, engine: Engine) -> None:
    batcher = start(sizes=(1,))
    futures = [batcher.submit(1, priority=Priority.BATCH), batcher.submit(2)]

    engine.free.set()
    results(futures)

    assert engine.batches == [[0], [2], [1]]


def test_a_batch_item_that_waited_long_is_taken_like_an_interactive_one(start: Start, engine: Engine) -> None:
    batcher = start(sizes=(1,), ageing_s=0)
    futures = [batcher.submit(1, priority=Priority.BATCH), batcher.submit(2)]

    engine.free.set()
    results(futures)

    assert engine.batches == [[0], [1], [2]]


def test_the_earlier_deadline_leaves_first(start: Start, engine: Engine) -> None:
    batcher = start(sizes=(1,))
    futures = [
        batcher.submit(1),
        batcher.submit(2, deadline=clock() + 200),
        batcher.submit(3, deadline=clock() + 100),
    ]

    engine.free.set()
    results(futures)

    assert engine.batches == [[0], [3], [2], [1]]


def test_what_is_late_never_reaches_the_engine_and_is_counted(start: Start, engine: Engine) -> None:
    batcher = start()
    late = batcher.submit(1, deadline=clock() - 1)

    engine.free.set()

    assert isinstance(late.exception(timeout=10), DeadlinePassed)
    assert (engine.batches, engine.late) == ([[0]], 1)


def test_only_items_of_one_key_share_a_batch_and_the_oldest_goes_first(start: Start, engine: Engine) -> None:
    batcher = start()
    futures = [batcher.submit(item) for item in (100, 1, 101, 2)]

    engine.free.set()
    results(futures)

    assert engine.batches == [[0], [100, 101], [1, 2]]


def test_a_cancelled_item_never_reaches_the_engine(start: Start, engine: Engine) -> None:
    batcher = start()
    first, second = batcher.submit(1), batcher.submit(2)
    first.cancel()

    engine.free.set()

    assert results([second]) == [4]
    assert engine.batches == [[0], [2]]


def test_an_awaiting_task_that_is_cancelled_drops_its_item(start: Start, engine: Engine) -> None:
    batcher = start()

    async def leave() -> None:
        waiting = asyncio.ensure_future(asyncio.wrap_future(batcher.submit(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(leave())

    assert batcher.depth == 0


def test_one_item_too_many_is_refused(start: Start) -> None:
    batcher = start(max_items=2)
    batcher.submit(1)
    batcher.submit(2)

    with pytest.raises(QueueFull):
        batcher.submit(3)


def test_items_are_refused_above_the_weight_that_may_wait(start: Start) -> None:
    batcher = start(max_weight=10)
    batcher.submit(8)

    with pytest.raises(QueueFull, match="weight 8 waits, 3 more would pass 10"):
        batcher.submit(3)


def test_one_item_may_wait_however_heavy(start: Start) -> None:
    batcher = start(max_weight=10)

    batcher.submit(50)

    assert batcher.weight == 50


def test_the_expected_wait_is_the_work_ahead(start: Start) -> None:
    pace = Pace((1,))
    pace.learn(False, 1, 1000)
    batcher = start(pace=pace)
    batcher.submit(1)

    assert 1900 < batcher.expected_wait_s() <= 2000


def test_a_cancelled_item_makes_room_in_a_full_queue(start: Start) -> None:
    batcher = start(max_items=1)
    batcher.submit(1).cancel()

    batcher.submit(2)

    assert batcher.depth == 1


def test_of_a_batch_that_fails_only_the_guilty_item_fails(start: Start, engine: Engine) -> None:
    batcher = start()
    futures = [batcher.submit(item) for item in (1, 13)]

    engine.free.set()

    assert results(futures[:1]) == [2]
    with pytest.raises(ArithmeticError):
        futures[1].result(timeout=10)


def test_the_engine_goes_on_after_a_failure(start: Start, engine: Engine) -> None:
    batcher = start()
    engine.free.set()
    failed = batcher.submit(13)
    assert isinstance(failed.exception(timeout=10), ArithmeticError)

    assert batcher.submit(5).result(timeout=10) == 10


def test_a_run_that_loses_results_fails_its_items(start: Start, engine: Engine) -> None:
    batcher = start()
    engine.run = lambda items, size: []  # type: ignore[method-assign]
    batcher._run = engine.run
    engine.free.set()

    error = batcher.submit(1).exception(timeout=10)

    assert "0 results" in str(error)


def test_closing_finishes_what_waits_and_takes_no_more(start: Start, engine: Engine) -> None:
    batcher = start()
    futures = [batcher.submit(item) for item in (1, 2)]
    engine.free.set()

    batcher.close()

    assert [future.done() for future in futures] == [True, True]
    with pytest.raises(BatcherClosed):
        batcher.submit(3)


def test_many_threads_get_each_their_own_answer(start: Start, engine: Engine) -> None:
    batcher = start(max_items=1000)
    engine.free.set()
    wrong: list[int] = []

    def ask(base: int) -> None:
        wrong.extend(item for item in range(base, base + 20) if batcher.submit(item).result(10) != 2 * item)

    threads = [threading.Thread(target=ask, args=(base,)) for base in range(1000, 1200, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert wrong == []


def test_of_a_failed_batch_each_other_item_is_answered_and_runs_once_more_alone(
    start: Start, engine: Engine
) -> None:
    batcher = start()
    futures = [batcher.submit(item) for item in (1, 13, 2, 3)]

    engine.free.set()
    batcher.close()

    assert [future.exception() is None for future in futures] == [True, False, True, True]
    assert engine.batches == [[0], [1, 13, 2, 3], [1], [13], [2], [3]]


def test_it_tells_since_when_the_engine_runs_and_that_it_is_idle(start: Start, engine: Engine) -> None:
    before = clock()
    batcher = start()

    since = batcher.running_since
    engine.free.set()
    batcher.submit(1).result(timeout=10)

    assert since is not None
    assert before <= since <= clock()
    assert batcher.running_since is None


def test_an_engine_that_failed_is_idle(start: Start, engine: Engine) -> None:
    batcher = start()
    engine.free.set()

    batcher.submit(13).exception(timeout=10)

    assert batcher.running_since is None


def test_failures_are_counted_until_a_batch_does_not_fail(start: Start, engine: Engine) -> None:
    batcher = start()
    engine.free.set()

    for _ in range(2):
        batcher.submit(13).exception(timeout=10)
    failed = batcher.failures
    batcher.submit(1).result(timeout=10)

    assert (failed, batcher.failures) == (2, 0)


def test_the_wait_of_an_interactive_item_leaves_out_what_goes_after_it(start: Start) -> None:
    pace = Pace((1,))
    pace.learn(False, 1, 1000)
    batcher = start(pace=pace)
    batcher.submit(1, priority=Priority.BATCH)

    assert 900 < batcher.expected_wait_s(Priority.INTERACTIVE) <= 1000
    assert 1900 < batcher.expected_wait_s() <= 2000


def test_an_item_takes_as_long_as_those_of_the_kind_that_ran_last(start: Start, engine: Engine) -> None:
    pace = Pace((1,))
    batcher = start(pace=pace)
    unknown = batcher.expected_item_s()
    engine.free.set()
    batcher.submit(100).result(timeout=10)

    assert unknown == 0
    assert batcher.expected_item_s() == pace.seconds(True, 1) > 0


class Lanes:
    """An engine of several lanes: each batch is held until it is let go by its first item."""

    def __init__(self) -> None:
        self.started: Queue[int] = Queue()
        self.free = {item: threading.Event() for item in range(10)}
        self.releases: list[Release[int]] = []

    def run(self, items: list[int], size: int) -> list[int]:
        self.started.put(items[0])
        assert self.free[items[0]].wait(10)
        if 3 in items:
            raise ArithmeticError("3")
        return [2 * item for item in items]


@pytest.fixture
def lanes() -> Lanes:
    return Lanes()


@pytest.fixture
def two_lanes(lanes: Lanes, pool: Pool) -> Iterator[Batcher[int, int]]:
    batcher = batcher_of(lanes, flat_pace((1, 2)), pool)
    yield batcher
    for event in lanes.free.values():
        event.set()
    batcher.close()


def batcher_of(lanes: Lanes, pace: Pace, pool: Pool) -> Batcher[int, int]:
    return Batcher(
        lanes.run,
        key=lambda item: False,
        weight=lambda item: item,
        pace=pace,
        max_items=8,
        max_weight=1_000_000,
        ageing_s=60,
        on_release=lanes.releases.append,
        on_late=lambda count: None,
        begin=pool.finish,
        lanes=2,
    )


def start_in_turn(batcher: Batcher[int, int], lanes: Lanes, *items: int) -> list["Future[int]"]:
    """Submit each when the one before it runs."""
    futures = []
    for item in items:
        futures.append(batcher.submit(item))
        assert lanes.started.get(timeout=10) == item
    return futures


def test_with_two_lanes_the_second_batch_starts_before_the_first_is_done(
    two_lanes: Batcher[int, int], lanes: Lanes
) -> None:
    first, second = start_in_turn(two_lanes, lanes, 1, 2)

    done_before = (first.done(), second.done())
    lanes.free[2].set()

    assert done_before == (False, False)
    assert second.result(timeout=10) == 4
    assert not first.done()


def test_a_third_batch_waits_for_a_lane_and_then_takes_all_that_wait(
    two_lanes: Batcher[int, int], lanes: Lanes
) -> None:
    start_in_turn(two_lanes, lanes, 1, 2)
    futures = [two_lanes.submit(item) for item in (4, 5)]
    waited = two_lanes.depth

    lanes.free[2].set()
    assert lanes.started.get(timeout=10) == 4
    lanes.free[4].set()

    assert waited == 2
    assert results(futures) == [8, 10]
    assert [(release.items, release.reason) for release in lanes.releases] == [
        ((2,), "idle"),
        ((4, 5), "idle"),
    ]


def test_what_fails_in_one_lane_harms_nobody_in_the_other(two_lanes: Batcher[int, int], lanes: Lanes) -> None:
    failing, sound = start_in_turn(two_lanes, lanes, 3, 2)
    lanes.free[3].set()
    assert isinstance(failing.exception(timeout=10), ArithmeticError)

    untouched = not sound.done()
    lanes.free[2].set()

    assert untouched
    assert sound.result(timeout=10) == 4
    assert start_in_turn(two_lanes, lanes, 5)[0] is not None


def test_the_oldest_batch_under_way_tells_since_when_the_engine_runs(
    two_lanes: Batcher[int, int], lanes: Lanes
) -> None:
    first, _ = start_in_turn(two_lanes, lanes, 1, 2)
    oldest = two_lanes.running_since
    lanes.free[1].set()
    first.result(timeout=10)
    newest = two_lanes.running_since

    assert oldest is not None
    assert newest is not None
    assert oldest < newest


def test_closing_waits_for_both_lanes(two_lanes: Batcher[int, int], lanes: Lanes) -> None:
    futures = start_in_turn(two_lanes, lanes, 1, 2)
    waiting = two_lanes.submit(4)
    for event in lanes.free.values():
        event.set()

    two_lanes.close()

    assert [future.done() for future in (*futures, waiting)] == [True, True, True]


def test_a_batch_costs_the_time_that_it_adds_to_the_one_before(
    two_lanes: Batcher[int, int], lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("service.pipeline.batcher.clock", lambda: now[0])
    first, second = start_in_turn(two_lanes, lanes, 1, 2)

    for item, future, ended in ((1, first, 1010.0), (2, second, 1012.0)):
        now[0] = ended
        lanes.free[item].set()
        future.result(timeout=10)

    assert [release.seconds for release in lanes.releases] == [10.0, 2.0]


def test_a_batch_behind_another_is_expected_after_it_and_cut_to_be_in_time(
    lanes: Lanes, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.pipeline.batcher.clock", lambda: 1000.0)
    pace = Pace((1, 2))
    pace.learn(False, 1, 10)
    pace.learn(False, 2, 12)
    batcher = batcher_of(lanes, pace, pool)
    start_in_turn(batcher, lanes, 1, 2)
    expected = batcher.expected_wait_s()
    futures = [batcher.submit(item, deadline=1021.0) for item in (4, 5)]
    lanes.free[1].set()
    assert lanes.started.get(timeout=10) == 4

    for event in lanes.free.values():
        event.set()
    batcher.close()

    assert expected == 20
    assert results(futures) == [8, 10]
    assert "deadline" in [release.reason for release in lanes.releases]


def test_a_fault_after_a_batch_does_not_cost_the_lane(pool: Pool) -> None:
    faults = iter([ZeroDivisionError])

    def tell(release: Release[int]) -> None:
        for fault in faults:
            raise fault

    batcher: Batcher[int, int] = Batcher(
        lambda items, size: items,
        key=lambda item: False,
        weight=lambda item: item,
        pace=flat_pace((1,)),
        max_items=8,
        max_weight=1_000_000,
        ageing_s=60,
        on_release=tell,
        on_late=lambda count: None,
        begin=pool.finish,
    )
    batcher.submit(1)

    assert batcher.submit(2).result(timeout=10) == 2
    batcher.close()
