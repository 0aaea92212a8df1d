"""The batcher: what leaves together, what is dropped, and who fails."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from service.pipeline.batcher import Batcher, BatcherClosed, QueueFull


class Engine:
    """Doubles numbers; it is held until released, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Event()
        self.free = threading.Event()

    def run(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.entered.set()
        assert self.free.wait(10)
        if 13 in items:
            raise ArithmeticError("13")
        return [2 * item for item in items]


Start = Callable[..., Batcher[int, int]]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """A batcher whose engine is busy with item 0."""
    started: list[Batcher[int, int]] = []

    def make(sizes: tuple[int, ...] = (1, 2, 4), max_queue: int = 8) -> Batcher[int, int]:
        batcher: Batcher[int, int] = Batcher(
            engine.run, key=lambda item: item >= 100, sizes=sizes, max_queue=max_queue
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


def test_a_batch_has_the_largest_allowed_size_that_is_filled(start: Start, engine: Engine) -> None:
    batcher = start()
    futures = [batcher.submit(item) for item in (1, 2, 3)]

    engine.free.set()
    results(futures)

    assert engine.batches == [[0], [1, 2], [3]]


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
    batcher = start(max_queue=2)
    batcher.submit(1)
    batcher.submit(2)

    with pytest.raises(QueueFull):
        batcher.submit(3)


def test_a_cancelled_item_makes_room_in_a_full_queue(start: Start) -> None:
    batcher = start(max_queue=1)
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


def test_a_run_that_loses_results_fails_its_items() -> None:
    batcher: Batcher[int, int] = Batcher(lambda items: [], key=lambda item: 0, sizes=(1,), max_queue=1)

    error = batcher.submit(1).exception(timeout=10)
    batcher.close()

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
    batcher = start(max_queue=1000)
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
