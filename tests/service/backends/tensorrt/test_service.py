"""The service on TensorRT's lanes: copies of one batch overlap the run of another, and a lost GPU ends the process."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from model.bundle import Bundle
from model.fit import Sizes
from service.backends import Heads
from service.http.readiness import Readiness
from service.metrics import Metrics
from service.pipeline.predictor import Predictor, Prepared
from service.pipeline.runs import Ran
from service.watchdog import illness
from tests.service.backends.tensorrt.fake import LOADED, Machine, compute
from tests.service.backends.tensorrt.test_runner import channels, open_runner, pictures, write_record
from tests.service.toy import write_toy

MEMORY = "panoptic_gpu_memory_bytes{"


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    bundle = write_toy(tmp_path_factory.mktemp("bundle") / "toy")
    write_record(bundle)
    return bundle


@pytest.fixture
def predictor(bundle: Bundle, machine: Machine) -> Iterator[Predictor]:
    """A service of batches of one whose lanes are warm."""
    runner = open_runner(bundle, machine)
    for _ in range(runner.lanes):
        runner.run(pictures(bundle, 1))
    predictor = Predictor(bundle, runner, max_batch=1, max_queue=64, max_pixels=1_000_000)
    yield predictor
    predictor.close()
    assert machine.leaks() == Counter()


def prepared(bundle: Bundle, seed: int) -> Prepared:
    size = bundle.manifest.input.buckets[0]
    return Prepared(pictures(bundle, 1, seed=seed)[0], Sizes(size, size, size), 1, None, {}, 0.0)


def heads_of(future: "Future[Ran]") -> Heads:
    output = future.result(timeout=60).output
    assert isinstance(output, Heads)
    return output


def test_the_next_batch_is_copied_in_while_one_runs(
    bundle: Bundle, machine: Machine, predictor: Predictor
) -> None:
    given: list[list[tuple[str, int]]] = []
    both = threading.Barrier(2, timeout=10)  # neither is waited for before the other was given to its stream

    def wait(stream: int) -> None:
        both.wait()
        given.append(list(machine.log))
        both.wait()

    machine.log.clear()
    machine.before_wait = wait
    futures = [predictor.submit(prepared(bundle, seed)) for seed in (1, 2)]
    found = [heads_of(future) for future in futures]
    machine.before_wait = lambda stream: None

    streams = {stream for _, stream in given[0]}
    assert len(streams) == 2
    for stream in streams:
        assert [kind for kind, each in given[0] if each == stream] == ["in", "run", "out", "out", "out"]
    for seed, heads in zip((1, 2), found, strict=True):
        expected = compute(pictures(bundle, 1, seed=seed), channels(bundle))
        np.testing.assert_array_equal(heads.offset, expected["offset"])


def test_many_photographs_in_two_lanes_get_each_their_own_heads(bundle: Bundle, machine: Machine) -> None:
    predictor = Predictor(
        bundle, open_runner(bundle, machine), max_batch=4, max_queue=64, max_pixels=1_000_000
    )

    futures = [predictor.submit(prepared(bundle, seed)) for seed in range(40)]
    wrong = [
        seed
        for seed, future in enumerate(futures)
        if not np.array_equal(
            heads_of(future).semantic,
            compute(pictures(bundle, 1, seed=seed), channels(bundle))["semantic"],
        )
    ]
    predictor.close()

    assert wrong == []


def test_a_batch_that_fails_in_one_lane_fails_alone(
    bundle: Bundle, machine: Machine, predictor: Predictor
) -> None:
    machine.fail("kernel")

    futures = [predictor.submit(prepared(bundle, seed)) for seed in range(6)]
    failed = [seed for seed, future in enumerate(futures) if future.exception(timeout=30)]

    assert len(failed) == 1
    assert len(heads_of(predictor.submit(prepared(bundle, 9))).semantic) == 1


def test_a_lost_gpu_is_told_to_the_watchdog_at_its_first_error_and_counted(
    bundle: Bundle, machine: Machine
) -> None:
    predictor = Predictor(
        bundle, open_runner(bundle, machine), max_batch=1, max_queue=4, max_pixels=1_000_000
    )
    readiness = Readiness(Metrics())
    readiness.ready(predictor)
    assert asyncio.run(illness(predictor, 60)) == ""

    machine.fail("kernel", code=700)
    predictor.submit(prepared(bundle, 1)).exception(timeout=30)
    reason = asyncio.run(illness(predictor, 60))
    readiness.lose(reason)
    predictor.close()

    assert "cuda:0 is lost to this process" in reason
    assert "panoptic_gpu_lost_total 1.0" in readiness.metrics.text().decode()


def test_memory_and_building_time_are_told_once_the_engine_answers(
    bundle: Bundle, predictor: Predictor
) -> None:
    readiness = Readiness(Metrics())
    readiness.ready(predictor)

    lines = readiness.metrics.text().decode().splitlines()

    taken = {line.split('"')[1]: float(line.split()[1]) for line in lines if MEMORY in line}
    assert 'panoptic_engine_build_seconds{backend="TensorRT 11.4.0"} 1.0' in lines
    assert taken["engine"] == LOADED
    assert set(taken) == {"engine", "buffers", "scratch", "pinned"}


def test_every_lane_proves_every_golden_at_once(tmp_path: Path, machine: Machine) -> None:
    golden = np.zeros((96, 128), np.int32)
    bundle = write_toy(tmp_path / "toy", golden=golden)
    write_record(bundle)
    predictor = Predictor(
        bundle, open_runner(bundle, machine), max_batch=1, max_queue=4, max_pixels=1_000_000
    )
    asked: list[int] = []
    machine.before_wait = asked.append

    with pytest.raises(Exception, match="fails its self-test"):  # the fake's heads are no toy's
        predictor.prove()
    machine.before_wait = lambda stream: None
    streams = set(asked[-2:])
    predictor.close()

    assert len(streams) == 2
