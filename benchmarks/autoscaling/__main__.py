"""Simulate the autoscaling of k8s/ under every load and by every signal: `make simulate`.

Prints the tables, writes them into docs/autoscaling.md and draws docs/images/autoscaling.png. Ends with 1 where our
signal fails what another one survives, or costs more than 1.25 times the oracle's pods on the diurnal day.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.autoscaling.controller import Look, asked_of_pods
from benchmarks.autoscaling.loads import scenarios
from benchmarks.autoscaling.pictures import draw
from benchmarks.autoscaling.pod import USUAL, Pod, read_pod
from benchmarks.autoscaling.rules import Rules, read_hpa, read_keda
from benchmarks.autoscaling.run import Outcome, best_load, simulate
from benchmarks.autoscaling.signals import SIGNALS, Signal

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE, PICTURE = DOCS / "autoscaling.md", DOCS / "images" / "autoscaling.png"
BEGIN, END = "<!-- simulation: begin -->", "<!-- simulation: end -->"
TARGETS = (0.6, 0.7, 0.75, 0.8, 0.85)
DAY = "diurnal day"
DEAREST = 1.25  # times the oracle's pod-hours


def main() -> int:
    """Run all, tell all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pod", type=Path, default=USUAL, help="another pod's figures, a file as pod.json")
    parser.add_argument("--only-print", action="store_true", help="leave docs/ as it is")
    options = parser.parse_args()
    pod = read_pod(options.pod)
    best = best_load(pod)
    outcomes = [_run(signal, pod, best, name) for name in _names() for signal in SIGNALS]
    told = "\n\n".join(
        [_head(pod, best), _starting_table(), _table(outcomes), _targets(pod, best), _verdict(outcomes)]
    )
    print(told)
    if not options.only_print:
        draw(outcomes, PICTURE)
        PAGE.write_text(between(PAGE.read_text(encoding="utf-8"), told), encoding="utf-8")
    return 0 if holds(outcomes) else 1


def holds(outcomes: list[Outcome]) -> bool:
    """Whether ours survives what any survives, at no more than it may cost on the day."""
    ours = [each for each in outcomes if each.signal == SIGNALS[0].name]
    survivable = {each.scenario for each in outcomes if each.survived}
    cheap = all(each.pod_hours <= DEAREST * each.oracle_hours for each in ours if each.scenario == DAY)
    return cheap and survivable == {each.scenario for each in ours if each.survived}


def between(page: str, told: str) -> str:
    """The page with what is told between its marks."""
    before, rest = page.split(BEGIN, 1)
    return f"{before}{BEGIN}\n\n{told}\n\n{END}{rest.split(END, 1)[1]}"


def _names() -> list[str]:
    return [scenario.name for scenario in scenarios()]


def _rules(signal: Signal) -> Rules:
    return read_keda() if "KEDA" in signal.name else read_hpa()


def _run(signal: Signal, pod: Pod, best: float, name: str, target: float | None = None) -> Outcome:
    rules = _rules(signal)
    scenario = next(each for each in scenarios() if each.name == name)
    rules = rules if target is None else replace(rules, target=target)
    return simulate(scenario, signal, rules, pod, best=best)


def _head(pod: Pod, best: float) -> str:
    return (
        f"A pod: {pod.name}. It does {pod.capacity:.1f} images a second ({pod.source}), holds {pod.max_queue}, "
        f"and starts in {pod.start_s:g} s. Under steady load it keeps the objective up to {best:.0%} of its capacity, "
        "which is how the oracle loads it."
    )


def _starting_table() -> str:
    """What four pods at twice their capacity and four that start make the controller ask for."""
    told = {
        "saturation; a starting pod tells nothing": asked_of_pods(Look([2.0] * 4, missing=4), 8, 0.7),
        "GPU utilisation; a starting pod tells 0": asked_of_pods(Look([1.0] * 4 + [0.0] * 4), 8, 0.7),
        "CPU; Kubernetes leaves out what is not ready": asked_of_pods(Look([1.0] * 4, unready=4), 8, 0.7),
    }
    rows = [f"| {name} | {pods} |" for name, pods in told.items()]
    return "\n".join(["| signal | pods asked for, of 8 |", "| --- | --- |", *rows])


def _table(outcomes: list[Outcome]) -> str:
    rows = [
        f"| {each.scenario} | {each.signal} | {each.p99_s:.2f} | {each.refused:.2%} | {each.pod_hours:.0f} "
        f"| {each.pod_hours / each.oracle_hours:.2f} | {each.flaps} | {'yes' if each.survived else 'no'} |"
        for each in outcomes
    ]
    head = "| load | signal | p99, s | refused | pod-hours | over the oracle's | flaps | survives |"
    return "\n".join([head, f"|{' --- |' * 8}", *rows])


def _targets(pod: Pod, best: float) -> str:
    """Our signal with other targets."""
    rows = []
    for target in TARGETS:
        found = [_run(SIGNALS[0], pod, best, name, target) for name in _names()]
        day = next(each for each in found if each.scenario == DAY)
        rows.append(
            f"| {target:g} | {sum(each.survived for each in found)} of {len(found)} | {day.p99_s:.2f} "
            f"| {day.pod_hours / day.oracle_hours:.2f} | {max(each.refused for each in found):.2%} |"
        )
    head = "| target | loads survived | p99 on the day, s | pod-hours on the day over the oracle's | refused at worst |"
    return "\n".join([head, f"|{' --- |' * 5}", *rows])


def _verdict(outcomes: list[Outcome]) -> str:
    kept = (
        "survives every load that any signal survives" if holds(outcomes) else "**fails what it must hold**"
    )
    return f"With the values of k8s/ the saturation {kept}."


if __name__ == "__main__":
    sys.exit(main())
