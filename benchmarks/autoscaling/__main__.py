"""Simulate the autoscaling of k8s/ under every load and by every signal: `make simulate`.

Prints the tables, writes them into docs/autoscaling.md and draws docs/images/autoscaling.png. Ends with 1 where our
signal answers too late what another one survives, or costs more than 1.25 times the oracle's pods on the diurnal day.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from benchmarks.autoscaling import tables
from benchmarks.autoscaling.loads import DAY, scenarios
from benchmarks.autoscaling.pictures import draw
from benchmarks.autoscaling.pod import USUAL, read_pod
from benchmarks.autoscaling.rules import read_hpa
from benchmarks.autoscaling.run import Outcome, best_load
from benchmarks.autoscaling.signals import SIGNALS
from benchmarks.autoscaling.trial import OURS, Trial, run_trials

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE, PICTURE = DOCS / "autoscaling.md", DOCS / "images" / "autoscaling.png"
MARKS = "<!-- {}: begin -->", "<!-- {}: end -->"
DEAREST = 1.25  # times the oracle's pod-hours


def main() -> int:
    """Run all, tell all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pod", type=Path, default=USUAL, help="another pod's figures, a file as pod.json")
    parser.add_argument("--only-print", action="store_true", help="leave docs/ as it is")
    options = parser.parse_args()
    pod, run = read_pod(options.pod), partial(run_trials, pod_file=options.pod)
    found = run([Trial(load.name, signal.name) for load in scenarios() for signal in SIGNALS])
    parts = {
        "simulation": "\n\n".join(
            [
                tables.head(pod, best_load(pod)),
                tables.starting(read_hpa()),
                tables.outcomes(found),
                verdict(found),
            ]
        ),
        "targets": tables.targets(run),
        "queues": tables.queues(run),
        "variants": tables.variants(run),
        "starts": tables.starts(run),
    }
    print("\n\n".join(parts.values()))
    if not options.only_print:
        draw(found, PICTURE)
        page = PAGE.read_text(encoding="utf-8")
        for name, told in parts.items():
            page = between(page, name, told)
        PAGE.write_text(page, encoding="utf-8")
    return 0 if holds(found) else 1


def holds(outcomes: list[Outcome]) -> bool:
    """Whether ours answers in time what any signal survives, at no more than it may cost on the day."""
    ours = [each for each in outcomes if each.signal == OURS]
    survivable = {each.scenario for each in outcomes if each.survived}
    cheap = all(each.pod_hours <= DEAREST * each.oracle_hours for each in ours if each.scenario == DAY)
    return cheap and all(each.in_time for each in ours if each.scenario in survivable)


def between(page: str, name: str, told: str) -> str:
    """The page with what is told between the marks of this name."""
    begin, end = (mark.format(name) for mark in MARKS)
    before, rest = page.split(begin, 1)
    return f"{before}{begin}\n\n{told}\n\n{end}{rest.split(end, 1)[1]}"


def verdict(outcomes: list[Outcome]) -> str:
    """In words; also what another survives and ours does not, and what that one costs on the day."""
    kept = (
        f"answers in time under every load that any signal survives, at no more than {DEAREST:g} times the oracle's "
        "pod-hours on the diurnal day"
        if holds(outcomes)
        else "**fails what it must hold**"
    )
    ours = {each.scenario: each for each in outcomes if each.signal == OURS}
    days = {each.signal: each.pod_hours / each.oracle_hours for each in outcomes if each.scenario == DAY}
    others = [each for each in outcomes if each.survived and not ours[each.scenario].survived]
    told = [
        f"{each.signal} survives the {each.scenario}, of which ours refuses {ours[each.scenario].refused:.2%}, and has "
        f"{days[each.signal]:.2f} times the oracle's pod-hours on the day."
        for each in others
    ]
    return " ".join([f"With the values of k8s/ the saturation {kept}.", *told])


if __name__ == "__main__":
    sys.exit(main())
