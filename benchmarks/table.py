"""The table of what must be reached, with today's figures: `make bench`; exit code 1 where a figure misses.

`python -m benchmarks.table [--seconds S] [--runs N] [--markdown FILE] [--json FILE]`. It serves the null bundle, which
it writes first, and the embedded one, each from a process of its own. Figures beside other servers are
benchmarks/peers' work.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from export.null import write_null_bundle
from model.bundle import read_bundle
from service.bench.connection import post, read_target
from service.bench.load import poisson
from service.bench.machine import describe, this_machine
from service.bench.queueing import predicted_ms
from service.bench.report import cell, table
from service.bench.server import Server, running_server
from service.bench.stages import USUAL, USUAL_CLASSES, USUAL_INSTANCES, drawn_jpeg, measure_around
from service.bench.trial import Trial
from service.pipeline.predictor import available_cores
from service.settings import EMBEDDED_BUNDLE

NULL_SIZE = (512, 1024)
CONNECTIONS = 8
SHARES = (0.6, 0.8)  # of capacity
STARTS = 3
ARRIVALS = 5  # draws of a queue's arrivals: a 99th percentile of one draw is a matter of chance
COSTS = 5  # runs of a cost: what else a shared machine does makes one dearer than the next
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
PEERS = "see benchmarks/peers"


@dataclass(frozen=True)
class Row:
    """A figure, and what it must be."""

    figure: str
    today: float | None  # None where another program measures it
    least: float  # at least so good
    aim: float
    more: bool = False  # the more the better

    @property
    def misses(self) -> bool:
        """Whether it is not reached."""
        if self.today is None:
            return False
        return self.today < self.least if self.more else self.today > self.least


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and keep where asked."""
    parser = argparse.ArgumentParser(prog="table", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of each run of load")
    parser.add_argument("--runs", type=int, default=1, help="of all, of which each figure is the median")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="a page with the table's two marks, rewritten"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures, for programs")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error(f"--runs is {options.runs}, and nothing would be measured: give 1 or more.")
    machine = f"{describe(this_machine())}; runs of {options.seconds:g} s"
    machine += f", medians of {options.runs}" if options.runs > 1 else ""
    print(machine, flush=True)
    rows = [median(same) for same in zip(*(_told(options.seconds) for _ in range(options.runs)), strict=True)]
    text = f"{machine}\n\n{written(rows)}"
    print(f"\n{text}")
    if options.markdown:
        options.markdown.write_text(
            between_marks(options.markdown.read_text(encoding="utf-8"), text), encoding="utf-8"
        )
    if options.json:
        options.json.write_bytes(orjson.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}))
    missed = [row.figure for row in rows if row.misses]
    print(f"\nMissed: {'; '.join(missed) or 'none'}.")
    return int(bool(missed))


def median(rows: Sequence[Row]) -> Row:
    """One figure of several runs: what a shared machine can do changes within minutes."""
    figures = [row.today for row in rows if row.today is not None]
    return replace(rows[0], today=statistics.median(figures)) if figures else rows[0]


def _told(seconds: float) -> list[Row]:
    """Measure, and print each figure as it is there."""
    rows = []
    for row in measure(seconds):
        rows.append(row)
        print(f"{row.figure}: {cell(row.today) if row.today is not None else PEERS}", flush=True)
    return rows


def measure(seconds: float) -> Iterator[Row]:
    """Every figure in turn."""
    around = measure_around(USUAL, instances=USUAL_INSTANCES, classes=USUAL_CLASSES, seconds=seconds)
    yield Row("CPU ms an image around the network, 1024×2048, 30 instances, 24-bit PNG", around.total, 30, 18)
    yield from _null(seconds)
    yield Row("images/s over plain FastAPI's, `null`, 8 connections", None, 5.5, 8, more=True)
    yield Row("images/s over the best peer's, `street` at 384×512", None, 1.4, 2.5, more=True)
    yield from _embedded(seconds)


def _null(seconds: float) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "null"
        write_null_bundle(path, size=NULL_SIZE, instances=USUAL_INSTANCES, classes=USUAL_CLASSES)
        with running_server(path) as server:
            trial = trial_of(server, NULL_SIZE)
            cost = _cost(trial, seconds)
            yield Row("CPU ms an image through the server, `null`, 512×1024", cost, 8, 5)
            cost = _cost(trial_of(server, NULL_SIZE, alone=False), seconds)
            yield Row("the same, where the photographs under way at a time are equal", cost, 8, 5)
            yield from _beside_a_queue(trial, seconds)


def _cost(trial: Trial, seconds: float) -> float:
    """Processor time of an image in a closed loop; infinity where nothing was answered."""
    runs = (trial.closed(CONNECTIONS, seconds / 2).cpu_ms for _ in range(COSTS))
    return statistics.median(cost or float("inf") for cost in runs)


def _beside_a_queue(trial: Trial, seconds: float) -> Iterator[Row]:
    """The 99th percentile over that of a queue with the same arrivals."""
    unloaded = trial.closed(1, seconds).p50_ms
    for share in SHARES:
        figure = f"p99 at {share:.0%} of capacity, open loop, over what a queue predicts, `null`"
        draws = range(trial.seed, trial.seed + ARRIVALS)
        ratios = [_over_queue(replace(trial, seed=seed), share, seconds, unloaded) for seed in draws]
        yield Row(figure, statistics.median(ratios), 1.5, 1.2)


def _over_queue(trial: Trial, share: float, seconds: float, unloaded_ms: float | None) -> float:
    """Infinity where nothing was answered.

    What a machine can do, a shared one all the more, changes within minutes: capacity is measured before the arrivals
    and after them.
    """
    before = trial.closed(CONNECTIONS, seconds).images_per_s
    if not before or unloaded_ms is None:
        return float("inf")
    rate = share * before
    measured = trial.open(rate, seconds).p99_ms or float("inf")
    capacity = (before + trial.closed(CONNECTIONS, seconds).images_per_s) / 2
    return measured / _predicted_p99(rate, seconds, trial.seed, capacity, unloaded_ms)


def _predicted_p99(rate: float, seconds: float, seed: int, capacity: float, unloaded_ms: float) -> float:
    latencies = predicted_ms(
        poisson(rate, seconds, seed), servers=available_cores(), capacity=capacity, unloaded_ms=unloaded_ms
    )
    return statistics.quantiles(latencies, n=100, method="inclusive")[98]


def _embedded(seconds: float) -> Iterator[Row]:
    starts = []
    for _ in range(STARTS):
        with running_server(EMBEDDED_BUNDLE) as server:
            starts.append(server.start_s)
    yield Row("s from an idle start to ready, embedded bundle", statistics.median(starts), 4, 2)
    with running_server(EMBEDDED_BUNDLE) as server:
        bucket = read_bundle(EMBEDDED_BUNDLE).manifest.input.buckets[0]
        found = trial_of(server, bucket).closed(CONNECTIONS, seconds)
    yield Row("RSS MB, serving `street` under load", found.rss_mb, 500, 300)


def trial_of(server: Server, size: tuple[int, int], *, alone: bool = True) -> Trial:
    """Load of one drawn photograph on a server of ours, answered as PNG.

    Args:
        alone: whether each request wants a run of its own.
    """
    target = read_target(server.address, "format=png")
    photograph = drawn_jpeg(size)
    trial = Trial(target, [post(target, photograph, alone=alone)], server.pid)
    trial.warm()
    return trial


def written(rows: list[Row]) -> str:
    """The table in Markdown."""
    return table(
        ("figure", "today", "at least", "aim", ""),
        (
            (
                row.figure,
                PEERS if row.today is None else row.today,
                f"{'≥' if row.more else '≤'} {cell(row.least)}",
                cell(row.aim),
                "**missed**" if row.misses else "" if row.today is None else "reached",
            )
            for row in rows
        ),
    )


def between_marks(page: str, text: str) -> str:
    """Put the table between a page's marks.

    Raises: SystemExit: it has not both.
    """
    if BEGIN not in page or END not in page:
        raise SystemExit(f"Error: the page lacks {BEGIN} or {END}; put both where the table belongs.")
    before, rest = page.split(BEGIN, 1)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    sys.exit(main())
