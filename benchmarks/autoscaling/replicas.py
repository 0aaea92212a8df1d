"""Two real replicas behind haproxy, beside the simulation of the same two: `python -m benchmarks.autoscaling.replicas`.

Each replica has a core of its own; haproxy gives it requests by chance, as a Service of Kubernetes does. What a replica
can do is measured first, by callers who wait; the simulation gets that figure and nothing else.
"""

import argparse
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.autoscaling.fleet import Fleet
from benchmarks.autoscaling.pod import Pod
from benchmarks.autoscaling.run import Tally, start_ready
from benchmarks.autoscaling.tables import table
from service.bench.connection import Target, post, read_target
from service.bench.load import OK, Sample, closed_loop, open_loop, poisson
from service.bench.machine import describe, now, this_machine
from service.bench.server import Server, running_server
from service.bench.stages import drawn_jpeg
from service.settings import EMBEDDED_BUNDLE

SHARES = (0.5, 0.7, 0.8, 0.9, 1.2)  # of what both can do
RUNS = 40  # of the simulation, so that chance is the measurement's alone
REFUSED = "429"


@dataclass(frozen=True)
class Seen:
    """What callers saw of a load."""

    p99_s: float  # of what was answered
    refused: float  # share


@dataclass(frozen=True)
class Run:
    """A load on both."""

    rate: float  # photographs a second
    capacity: float  # of one replica, the mean of before and after: the machine's other work changes it
    seen: Seen


def main() -> int:
    """Measure, simulate, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=90, help="of each load")
    parser.add_argument("--max-queue", type=int, default=8, help="photographs that a replica holds")
    options = parser.parse_args()
    if shutil.which("haproxy") is None or len(os.sched_getaffinity(0)) < 2:
        print("This needs haproxy (apt install haproxy) and two cores.", file=sys.stderr)
        return 2
    before = describe(this_machine())
    with two_replicas(options.max_queue) as servers, balancer(servers) as address:
        body = drawn_jpeg((384, 512))
        targets = [read_target(server.address) for server in servers]
        callers = read_target(address)
        runs = [
            asyncio.run(_beside(targets, callers, body, share, seconds=options.seconds)) for share in SHARES
        ]
    print(_told(before, options.max_queue, options.seconds))
    rows = [_row(run, simulated(run, options.max_queue, options.seconds)) for run in runs]
    heads = [
        "asked a second",
        "of the capacity",
        "p99, s: measured",
        "simulated",
        "refused: measured",
        "simulated",
    ]
    print(table(heads, rows))
    return 0


def simulated(run: Run, max_queue: int, seconds: float) -> Seen:
    """What the model says of two such pods under this load, over many runs."""
    pod, tally = Pod("replica", "measured", ((1, 1 / run.capacity),), max_queue, start_s=0), Tally()
    for seed in range(RUNS):
        fleet = Fleet(pod, np.random.default_rng(seed))
        start_ready(fleet, 2)
        for _ in range(round(seconds)):
            tally.add(fleet.step(run.rate))
    return Seen(tally.percentile(0.99), tally.refused / (tally.refused + float(tally.answered.sum())))


def seen(samples: Sequence[Sample]) -> Seen:
    """Of what was measured.

    Raises: RuntimeError: something was neither answered nor refused.
    """
    statuses = Counter(sample.status for sample in samples)
    if strange := set(statuses) - {OK, REFUSED}:
        raise RuntimeError(f"The replicas answered {', '.join(sorted(strange))} too; nothing was compared.")
    latencies = [sample.ended - sample.due for sample in samples if sample.status == OK]
    return Seen(float(np.quantile(latencies, 0.99)), statuses[REFUSED] / len(samples))


@contextmanager
def two_replicas(max_queue: int) -> Iterator[list[Server]]:
    """Servers of the embedded model, each on a core of its own."""
    arguments = ["--backend", "onnxruntime", "--precision", "fp32", "--threads", "1", "--workers", "1"]
    every = os.sched_getaffinity(0)
    with ExitStack() as stack:
        servers = []
        for core in sorted(every)[:2]:
            os.sched_setaffinity(0, {core})  # a child inherits it
            try:
                servers.append(
                    stack.enter_context(
                        running_server(EMBEDDED_BUNDLE, [*arguments, "--max-queue", str(max_queue)])
                    )
                )
            finally:
                os.sched_setaffinity(0, every)
        yield servers


@contextmanager
def balancer(servers: Sequence[Server]) -> Iterator[str]:
    """The address of a haproxy that gives a request to either by chance."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    lines = [
        *("defaults", "  mode http", "  timeout connect 2s", "  timeout client 60s", "  timeout server 60s"),
        *("frontend callers", f"  bind 127.0.0.1:{port}", "  default_backend pods"),
        *("backend pods", "  balance random(1)"),
        *(f"  server s{place} {each.address.removeprefix('http://')}" for place, each in enumerate(servers)),
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "haproxy.cfg"
        file.write_text("\n".join([*lines, ""]))
        process = subprocess.Popen(["haproxy", "-f", file], stderr=subprocess.DEVNULL)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


async def _capacity(targets: Sequence[Target], body: bytes, *, seconds: float) -> float:
    """Images a second of one replica, while both are busy."""
    loops = [closed_loop(each, [post(each, body)], connections=4, seconds=seconds) for each in targets]
    found = await asyncio.gather(*loops)
    return sum(len(samples) / (samples[-1].ended - samples[0].due) for samples in found) / len(targets)


async def _beside(
    targets: Sequence[Target], callers: Target, body: bytes, share: float, *, seconds: float
) -> Run:
    """Measure what both can do, load them with a share of it, and measure again."""
    request = [post(callers, body)]
    first = await _capacity(targets, body, seconds=seconds / 4)
    rate = share * len(targets) * first
    samples = await open_loop(callers, request, arrivals=poisson(rate, seconds), connections=256)
    last = await _capacity(targets, body, seconds=seconds / 4)
    return Run(rate, (first + last) / 2, seen(samples))


def _told(before: str, max_queue: int, seconds: float) -> str:
    return (
        f"{before} at the start; {now()} at the end. A replica holds {max_queue} photographs of 384×512; "
        f"{seconds:g} s each load.\n"
    )


def _row(run: Run, model: Seen) -> list[str]:
    return [
        f"{run.rate:.1f}",
        f"{run.rate / (2 * run.capacity):.0%}",
        f"{run.seen.p99_s:.2f}",
        f"{model.p99_s:.2f}",
        f"{run.seen.refused:.1%}",
        f"{model.refused:.1%}",
    ]


if __name__ == "__main__":
    sys.exit(main())
