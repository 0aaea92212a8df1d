"""Rounds: every server in each, in an order of its own, and what the turns come to.

Ratios are taken within a round, so that what else the machine does falls on all servers alike.
"""

import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.peers.processes import Memory


@dataclass(frozen=True)
class Turn:
    """A server's turn in a round."""

    server: str
    round: int
    images_per_s: float
    latencies_ms: tuple[float, ...]
    cpu_ms_per_image: float  # of all the server's processes
    memory: Memory
    errors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """A server's turns, summed up: medians over the rounds, percentiles over all answers."""

    server: str
    images_per_s: float
    ratio: float  # images a second, over ours in the same round
    p50_ms: float
    p99_ms: float
    cpu_ms_per_image: float
    cpu_ratio: float  # over ours in the same round
    rss_mb: float
    pss_mb: float
    answers: int
    errors: int


def orders(names: Sequence[str], rounds: int, seed: int = 0) -> Iterator[tuple[str, ...]]:
    """The names, shuffled anew for each round; the same for the same seed."""
    shuffle = random.Random(seed)  # noqa: S311
    for _ in range(rounds):
        yield tuple(shuffle.sample(names, len(names)))


def play(names: Sequence[str], rounds: int, turn: Callable[[str, int], Turn]) -> list[Turn]:
    """All turns of all rounds, one after another."""
    return [turn(name, number) for number, order in enumerate(orders(names, rounds)) for name in order]


def sum_up(turns: Sequence[Turn], ours: str) -> list[Figures]:
    """The figures of each server, ours first, then by images a second.

    Ratios are of rounds in which both answered; where there are none, they are not a number.
    """
    base = {turn.round: turn for turn in turns if turn.server == ours}
    found = [
        _figures([turn for turn in turns if turn.server == name], base)
        for name in dict.fromkeys(turn.server for turn in turns)
    ]
    return sorted(found, key=lambda figures: (figures.server != ours, -figures.images_per_s))


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that `share` of the values do not pass; not a number where there are none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def _figures(turns: Sequence[Turn], base: Mapping[int, Turn]) -> Figures:
    latencies = [latency for turn in turns for latency in turn.latencies_ms]
    pairs = [
        (turn, base[turn.round])
        for turn in turns
        if turn.images_per_s and turn.round in base and base[turn.round].images_per_s
    ]
    return Figures(
        server=turns[0].server,
        images_per_s=_median([turn.images_per_s for turn in turns]),
        ratio=_median([turn.images_per_s / ours.images_per_s for turn, ours in pairs]),
        p50_ms=percentile(latencies, 0.5),
        p99_ms=percentile(latencies, 0.99),
        cpu_ms_per_image=_median([turn.cpu_ms_per_image for turn in turns if turn.images_per_s]),
        cpu_ratio=_median([turn.cpu_ms_per_image / ours.cpu_ms_per_image for turn, ours in pairs]),
        rss_mb=_median([turn.memory.rss for turn in turns]),
        pss_mb=_median([turn.memory.pss for turn in turns]),
        answers=len(latencies),
        errors=sum(sum(turn.errors.values()) for turn in turns),
    )


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")
