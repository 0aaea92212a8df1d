"""One run: a load, a fleet and the autoscaler that watches it; and what came of it."""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.autoscaling.controller import PERIOD_S, Controller, Look
from benchmarks.autoscaling.fleet import Fleet, Second
from benchmarks.autoscaling.loads import Scenario
from benchmarks.autoscaling.pod import Floats, Pod
from benchmarks.autoscaling.rules import Rules
from benchmarks.autoscaling.signals import Signal

SCRAPE_S = 5  # how old the signal is that the controller sees: the ServiceMonitor's interval
FLAP_S = 600  # up again so soon after down, or the other way round, is a flap
EDGES = np.geomspace(0.001, 100, 2000)  # s, of the latencies' histogram


@dataclass(frozen=True)
class Outcome:
    """What callers and payers saw."""

    scenario: str
    signal: str
    p99_s: float  # of what was answered
    refused: float  # share of what came
    pod_hours: float
    oracle_hours: float  # of whoever knows the load beforehand
    flaps: int
    pods: Floats  # every second
    needed: Floats  # pods of the oracle, every second

    @property
    def survived(self) -> bool:
        """Within the objective: 99 of 100 within a second, and 1 of 100 refused at most."""
        return self.in_time and self.refused <= 0.01

    @property
    def in_time(self) -> bool:
        """Whether 99 of 100 of those answered were so within a second."""
        return self.p99_s <= 1


def simulate(
    scenario: Scenario, signal: Signal, rules: Rules, pod: Pod, *, best: float, seed: int = 1
) -> Outcome:
    """Run a scenario.

    Args:
        best: the share of its capacity to which the oracle loads a pod.
    """
    controller, fleet = Controller(rules), Fleet(pod, np.random.default_rng(seed))
    count = _first_count(scenario.rates[0], rules, pod)
    start_ready(fleet, count)
    tally, counts, seen = Tally(), [], signal.looks(fleet)
    for second, rate in enumerate(scenario.rates):
        if scenario.lost and second == scenario.lost[0]:
            fleet.lose(scenario.lost[1])
        if second and second % PERIOD_S == 0:
            blind = [Look([])] * signal.metrics
            count = controller.decide(second, count, *(blind if _blind(scenario, second) else seen))
        if second % PERIOD_S == PERIOD_S - SCRAPE_S:
            seen = signal.looks(fleet)
        _reconcile(fleet, count, scenario.rollout, second)
        tally.add(fleet.step(float(rate)))
        counts.append(fleet.size)
    needed = oracle(scenario.rates, pod, best, rules)
    return Outcome(
        scenario.name,
        signal.name,
        tally.percentile(0.99),
        tally.refused / max(tally.refused + tally.answered.sum(), 1),
        sum(counts) / 3600,
        float(needed.sum()) / 3600,
        _flaps(counts),
        np.array(counts, float),
        needed,
    )


def oracle(rates: Floats, pod: Pod, best: float, rules: Rules) -> Floats:
    """Pods of whoever knows the load, and has each started when it is needed: none too early, none too late."""
    needed = np.clip(np.ceil(rates / (pod.capacity * best)), rules.least, rules.most)
    ahead = int(pod.start_s)  # a pod costs while it starts
    padded = np.concatenate([needed, np.full(ahead, needed[-1])])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, ahead + 1).max(axis=1), float)


def best_load(pod: Pod, objective_s: float = 1.0) -> float:
    """The highest share of its capacity at which pods under steady load answer all in time, in hundredths.

    They refuse nobody, however long their queue: so it is not theirs to make the oracle dearer by refusing.
    """
    patient = replace(pod, max_queue=1_000_000)
    for percent in range(99, 50, -1):
        fleet, tally = Fleet(patient, np.random.default_rng(3)), Tally()
        start_ready(fleet, 50)
        for _ in range(900):
            tally.add(fleet.step(50 * pod.capacity * percent / 100))
        if tally.percentile(0.99) <= objective_s:
            return percent / 100
    raise ValueError(
        f"{pod.name} takes too long for the objective of {objective_s:g} s at half its capacity."
    )


class Tally:
    """Owns the histogram of latencies."""

    def __init__(self) -> None:
        self.answered = np.zeros(len(EDGES) + 1)
        self.refused = 0.0

    def add(self, second: Second) -> None:
        """Count what came of a second."""
        places = np.searchsorted(EDGES, second.latencies)
        self.answered += np.bincount(places, second.answered, minlength=len(self.answered))
        self.refused += second.refused

    def percentile(self, share: float) -> float:
        """Seconds within which this share was answered."""
        whole = self.answered.cumsum()
        index = int(np.searchsorted(whole, whole[-1] * share))
        return float(EDGES[min(index, len(EDGES) - 1)])


def _first_count(rate: float, rules: Rules, pod: Pod) -> int:
    """Where every signal begins alike: where ours is on its target."""
    return min(max(math.ceil(rate / pod.capacity / rules.target), rules.least), rules.most)


def start_ready(fleet: Fleet, count: int) -> None:
    """Let so many pods be there from the beginning."""
    fleet.now = -fleet.pod.start_s
    fleet.scale(count)
    fleet.now = -1.0


def _blind(scenario: Scenario, second: int) -> bool:
    return scenario.blind is not None and scenario.blind[0] <= second < scenario.blind[1]


def _reconcile(fleet: Fleet, count: int, rollout: int | None, second: int) -> None:
    """Keep as many pods as were decided; in a rollout one more, for which an old one goes as soon as it is ready."""
    if rollout is None or second < rollout or not (fleet.born < rollout).any():
        fleet.scale(count)
        return
    if fleet.size > count and not fleet.starting:
        fleet.retire_oldest()
    if fleet.size <= count:
        fleet.scale(count + 1)


def _flaps(counts: list[int]) -> int:
    turns = [(i, b - a) for i, (a, b) in enumerate(itertools.pairwise(counts)) if a != b]
    return sum(
        (first > 0) != (then > 0) and at - before < FLAP_S
        for (before, first), (at, then) in itertools.pairwise(turns)
    )
