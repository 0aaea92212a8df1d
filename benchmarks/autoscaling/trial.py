"""One trial: a load, a signal, and what is changed of the manifests' values and of the pod; and many, side by side."""

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks.autoscaling.loads import scenarios
from benchmarks.autoscaling.pod import Pod, read_pod
from benchmarks.autoscaling.rules import read_hpa, read_keda
from benchmarks.autoscaling.run import Outcome, best_load, simulate
from benchmarks.autoscaling.signals import NAMED, SIGNALS

OURS = SIGNALS[0].name


@dataclass(frozen=True)
class Trial:
    """What is run; None leaves a value as it is."""

    load: str
    signal: str = OURS
    target: float | None = None
    least: int | None = None  # pods
    start_s: float | None = None
    max_queue: int | None = None


def run_trials(trials: Iterable[Trial], pod_file: Path) -> list[Outcome]:
    """Outcomes in the order of the trials, a process for each core."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(partial(run_trial, pod_file=pod_file), trials))


def run_trial(trial: Trial, pod_file: Path) -> Outcome:
    """One of them, by the manifests' values."""
    usual = read_pod(pod_file)
    pod = replace(
        usual, start_s=_or(trial.start_s, usual.start_s), max_queue=_or(trial.max_queue, usual.max_queue)
    )
    rules = read_keda() if "KEDA" in trial.signal else read_hpa()
    rules = replace(rules, target=_or(trial.target, rules.target), least=_or(trial.least, rules.least))
    scenario = next(each for each in scenarios() if each.name == trial.load)
    return simulate(scenario, NAMED[trial.signal], rules, pod, best=usual_best(usual))


@cache
def usual_best(pod: Pod) -> float:
    """The oracle's load of a pod: found once, and the same whatever a trial changes."""
    return best_load(pod)


def _or(changed: Any, usual: Any) -> Any:
    return usual if changed is None else changed
