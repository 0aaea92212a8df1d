"""Signals: what an autoscaler may be told of a fleet, ours and the usual ones, each with its usual target."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.autoscaling.controller import Look
from benchmarks.autoscaling.fleet import Fleet
from benchmarks.autoscaling.pod import Floats


@dataclass(frozen=True)
class Signal:
    """How one is read."""

    name: str
    value: Callable[[Fleet], Floats]  # of each ready pod
    starting: str  # what a pod tells that is not ready: "nothing", "zero", or "ignored", as Kubernetes does with CPU
    target: float | None  # None takes the manifest's
    beside: "Signal | None" = (
        None  # a second metric of the same autoscaler, which follows the one that asks for more
    )

    def looks(self, fleet: Fleet) -> list[Look]:
        """What the controller sees, a look for each metric."""
        values, coming = list(self.value(fleet)), len(fleet.starting)
        own = {
            "zero": Look([*values, *[0.0] * coming], self.target),
            "nothing": Look(values, self.target, missing=coming),
            "ignored": Look(values, self.target, unready=coming),
        }[self.starting]
        return [own, *(self.beside.looks(fleet) if self.beside else [])]

    @property
    def metrics(self) -> int:
        """How many the controller reads."""
        return 1 + (self.beside.metrics if self.beside else 0)


def saturation(fleet: Fleet) -> Floats:
    """Offered over capacity, refused ones too."""
    return fleet.offered / fleet.pod.capacity


def saturation_lately(fleet: Fleet) -> Floats:
    """The same by a mean of five seconds."""
    return fleet.offered_lately / fleet.pod.capacity


def saturation_ahead(fleet: Fleet) -> Floats:
    """Where the saturation will be if it goes on as between its two means, three times their distance."""
    return saturation(fleet) + 3 * np.maximum(saturation_lately(fleet) - saturation(fleet), 0)


SIGNALS = (
    Signal("saturation", saturation, "nothing", None),
    Signal("saturation, KEDA", saturation, "nothing", None),
    Signal("CPU 70 %", lambda fleet: fleet.busy, "ignored", 0.7),
    Signal("GPU utilisation 70 %", lambda fleet: fleet.busy, "zero", 0.7),
    Signal("queue length 5", lambda fleet: fleet.queue, "zero", 5.0),
    Signal("in flight 8", lambda fleet: fleet.held, "zero", 8.0),
)

QUEUE = SIGNALS[4]
# Ours otherwise: what was thought to help where pods come too late.
VARIANTS = (
    Signal("saturation, mean of 5 s", saturation_lately, "nothing", None),
    Signal("saturation, looking ahead", saturation_ahead, "nothing", None),
    Signal("saturation and queue length 5", saturation, "nothing", None, beside=QUEUE),
)
NAMED = {signal.name: signal for signal in (*SIGNALS, *VARIANTS)}
