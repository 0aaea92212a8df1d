"""Signals: what an autoscaler may be told of a fleet, ours and the usual ones, each with its usual target."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.autoscaling.controller import Look
from benchmarks.autoscaling.fleet import Fleet
from benchmarks.autoscaling.pod import Floats
from benchmarks.autoscaling.rules import Rules


@dataclass(frozen=True)
class Signal:
    """How one is read."""

    name: str
    value: Callable[[Fleet], Floats]  # of each ready pod
    starting: str  # what a pod tells that is not ready: "nothing", "zero", or "ignored", as Kubernetes does with CPU
    target: float | None  # None takes the manifest's

    def look(self, fleet: Fleet) -> Look:
        """What the controller sees."""
        values, coming = list(self.value(fleet)), len(fleet.starting)
        if self.starting == "zero":
            return Look([*values, *[0.0] * coming])
        return Look(values, missing=coming) if self.starting == "nothing" else Look(values, unready=coming)

    def rules(self, rules: Rules) -> Rules:
        """The manifest's values with this signal's target."""
        return rules if self.target is None else replace(rules, target=self.target)


def saturation(fleet: Fleet) -> Floats:
    """Offered over capacity, refused ones too."""
    return fleet.offered / fleet.pod.capacity


SIGNALS = (
    Signal("saturation", saturation, "nothing", None),
    Signal("saturation, KEDA", saturation, "nothing", None),
    Signal("CPU 70 %", lambda fleet: fleet.busy, "ignored", 0.7),
    Signal("GPU utilisation 70 %", lambda fleet: fleet.busy, "zero", 0.7),
    Signal("queue length 5", lambda fleet: fleet.queue, "zero", 5.0),
    Signal("in flight 8", lambda fleet: fleet.held, "zero", 8.0),
)
