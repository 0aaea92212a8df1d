"""Load: what the two loops send, count and call a latency."""

import asyncio
import socket

import numpy as np
import pytest

from service.bench.connection import ROUTE, Target, post, read_target
from service.bench.figures import Figures, summarize
from service.bench.load import Sample, closed_loop, open_loop, poisson
from service.settings import SettingsError
from tests.service.bench.fake import Fake


def run_closed(fake: Fake, *, connections: int = 1, seconds: float = 0.3) -> list[Sample]:
    async def run() -> list[Sample]:
        async with fake.serve() as target:
            requests = [post(target, b"first"), post(target, b"second")]
            return await closed_loop(target, requests, connections=connections, seconds=seconds)

    return asyncio.run(run())


def run_open(fake: Fake, *, rate: float = 100, seconds: float = 0.3, connections: int = 64) -> list[Sample]:
    async def run() -> list[Sample]:
        async with fake.serve() as target:
            arrivals = poisson(rate, seconds)
            return await open_loop(
                target, [post(target, b"photo")], arrivals=arrivals, connections=connections
            )

    return asyncio.run(run())


def figures(samples: list[Sample]) -> Figures:
    return summarize(samples, loop="open", offered=1)


@pytest.mark.parametrize("connections", [1, 64])
def test_a_stall_of_a_second_delays_all_that_were_due_in_it(connections: int) -> None:
    found = figures(run_open(Fake(stall_at=20), seconds=2, connections=connections))

    assert found.p95_ms is not None
    assert found.p95_ms > 500
    assert found.p99_ms is not None
    assert found.p99_ms > 800


def test_a_closed_loop_meets_the_same_stall_only_once_a_connection() -> None:
    samples = run_closed(Fake(stall_at=20), connections=2, seconds=1.5)

    assert sum(sample.ended - sample.due > 0.9 for sample in samples) == 2


def test_a_closed_loop_counts_every_request_that_was_sent() -> None:
    fake = Fake()

    samples = run_closed(fake, connections=3)

    assert len(samples) == fake.requests > 3
    assert {sample.status for sample in samples} == {"200"}


def test_a_connection_is_kept_for_all_its_requests() -> None:
    fake = Fake()

    run_closed(fake, connections=3)

    assert fake.connections == 3


def test_requests_are_taken_in_turns() -> None:
    fake = Fake()

    run_closed(fake)

    assert fake.bodies[:4] == [b"first", b"second", b"first", b"second"]


def test_an_open_loop_sends_as_many_as_arrive() -> None:
    fake = Fake()

    samples = run_open(fake)

    assert len(samples) == fake.requests == len(poisson(100, 0.3))


def test_errors_are_counted_by_status_and_have_no_latency() -> None:
    found = figures(run_open(Fake(status=lambda number: 503 if number % 2 else 200)))

    assert found.errors == {"503": len(poisson(100, 0.3)) // 2}
    assert found.images == len(poisson(100, 0.3)) - found.errors["503"]


def test_a_server_that_hangs_up_is_counted_and_asked_again() -> None:
    samples = run_closed(Fake(status=lambda number: 0 if number == 1 else 200))

    assert [sample.status for sample in samples[:3]] == ["200", "ConnectionResetError", "200"]


def test_a_server_that_is_not_there_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = Target("127.0.0.1", listener.getsockname()[1], ROUTE)

    samples = asyncio.run(closed_loop(target, [post(target, b"photo")], connections=1, seconds=0.05))

    assert {sample.status for sample in samples} == {"ConnectionRefusedError"}


def test_arrivals_are_the_same_for_a_seed_and_others_for_another() -> None:
    assert np.array_equal(poisson(50, 10, 1), poisson(50, 10, 1))
    assert not np.array_equal(poisson(50, 10, 1)[:100], poisson(50, 10, 2)[:100])


def test_gaps_between_arrivals_are_as_of_callers_who_know_nothing_of_each_other() -> None:
    gaps = np.diff(poisson(100, 1000))

    assert gaps.mean() == pytest.approx(0.01, rel=0.02)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03)  # as of the exponential distribution


def test_figures_are_those_of_the_samples() -> None:
    samples = [Sample(due=index, ended=index + 0.1 * (index + 1), status="200") for index in range(3)]

    found = figures([*samples, Sample(2.0, 4.0, "timeout")])

    assert (found.seconds, found.images, found.images_per_s) == (4.0, 3, 0.75)
    assert found.p50_ms == pytest.approx(200)
    assert found.max_ms == pytest.approx(300)
    assert found.errors == {"timeout": 1}


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("127.0.0.1:8000", Target("127.0.0.1", 8000, ROUTE)),
        ("http://host/", Target("host", 80, ROUTE)),
        ("http://[::1]:9/predict?a=b", Target("::1", 9, "/predict?a=b")),
    ],
)
def test_an_address_is_read_with_the_services_route_by_default(url: str, target: Target) -> None:
    assert read_target(url) == target


def test_a_format_is_asked_for_beside_an_addresss_own_query() -> None:
    assert read_target("http://host/x?a=b", "format=png").path == "/x?a=b&format=png"


@pytest.mark.parametrize("url", ["https://host", "ftp://host", "http://", "http://host:port"])
def test_an_address_that_cannot_be_loaded_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="no address to load"):
        read_target(url)
