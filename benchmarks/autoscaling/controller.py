"""The control loop of the HorizontalPodAutoscaler, version 2, with the arithmetic of its source.

Source: Kubernetes, pkg/controller/podautoscaler: replica_calculator.go (how many pods a metric asks for) and
horizontal.go (how quickly the count may follow). KEDA makes such an autoscaler of its own, with a sum over all pods.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.autoscaling.rules import Direction, Policy, Rules

PERIOD_S = 15  # of the loop


@dataclass(frozen=True)
class Look:
    """What the controller sees of the pods."""

    samples: Sequence[float]  # of pods that run and tell the signal
    target: float | None = None  # of a pod; None takes that of the rules
    missing: int = field(default=0, kw_only=True)  # pods that run and tell nothing
    unready: int = field(
        default=0, kw_only=True
    )  # pods that are pending, and those not ready where the signal is CPU


def asked_of_pods(look: Look, current: int, target: float, tolerance: float = 0.1) -> int | None:
    """Pods that a metric of pods asks for; None where nobody tells anything.

    A pod that tells nothing counts as on target where the others ask for fewer, and as idle where they ask for more: so
    that neither direction goes further than it would with every pod's word.
    """
    samples = list(look.samples)
    if not samples:
        return None
    ratio = sum(samples) / len(samples) / target
    more_are_coming = look.unready > 0 and ratio > 1
    if not more_are_coming and not look.missing:
        return current if abs(1 - ratio) <= tolerance else _ceil(ratio * len(samples))
    samples += [target if ratio < 1 else 0.0] * look.missing
    samples += [0.0] * (look.unready if more_are_coming else 0)
    again = sum(samples) / len(samples) / target
    if abs(1 - again) <= tolerance or (ratio < 1 < again) or (again < 1 < ratio):
        return current
    asked = _ceil(again * len(samples))
    turned = (again < 1 and asked > current) or (again > 1 and asked < current)
    return current if turned else asked


def asked_of_sum(look: Look, current: int, target: float, tolerance: float = 0.1) -> int | None:
    """Pods that an external metric's sum asks for; None where it has no answer."""
    if not look.samples:
        return None
    total = sum(look.samples)
    if current and abs(1 - total / (target * current)) <= tolerance:
        return current
    return _ceil(total / target)


@dataclass
class Controller:
    """Owns what the loop remembers: its recommendations and what it did."""

    rules: Rules
    _recommended: list[tuple[float, int]] = field(default_factory=list)
    _changes: list[tuple[float, int]] = field(default_factory=list)  # of the count, with its sign

    def decide(self, now: float, current: int, *looks: Look) -> int:
        """The count of pods from now on, by one look for each metric."""
        rules = self.rules
        if not rules.least <= current <= rules.most:
            return min(max(current, rules.least), rules.most)
        asked = self._asked(current, looks)
        if asked is None:
            return current  # no metric, no change
        if not self._recommended:
            self._recommended.append((now, current))
        stable = self._stabilized(now, current, asked)
        decided = self._limited(now, current, stable)
        if decided != current:
            self._changes.append((now, decided - current))
        return decided

    def _asked(self, current: int, looks: Sequence[Look]) -> int | None:
        """The most that any metric asks for. While one of them cannot be read, no fewer than there are."""
        ask = asked_of_sum if self.rules.summed else asked_of_pods
        found = [
            ask(look, current, look.target or self.rules.target, self.rules.up.tolerance) for look in looks
        ]
        asked = [each for each in found if each is not None]
        if not asked:
            return None
        return max(asked) if len(asked) == len(found) else max(current, *asked)

    def _stabilized(self, now: float, current: int, asked: int) -> int:
        """Up to the least of the upward window, down to the most of the downward one."""
        since = now - max(self.rules.up.window_s, self.rules.down.window_s)
        self._recommended = [each for each in self._recommended if each[0] > since]
        up = min([asked, *(n for t, n in self._recommended if t > now - self.rules.up.window_s)])
        down = max([asked, *(n for t, n in self._recommended if t > now - self.rules.down.window_s)])
        self._recommended.append((now, asked))
        return min(max(current, up), down)

    def _limited(self, now: float, current: int, wanted: int) -> int:
        """No further than the policies allow."""
        longest = max(policy.period_s for policy in (*self.rules.up.policies, *self.rules.down.policies))
        self._changes = [each for each in self._changes if each[0] > now - longest]
        if wanted > current:
            limit = self._limit(now, current, self.rules.up, +1)
            return min(wanted, max(limit, current), self.rules.most)
        if wanted < current:
            limit = self._limit(now, current, self.rules.down, -1)
            return max(wanted, min(limit, current), self.rules.least)
        return current

    def _limit(self, now: float, current: int, direction: Direction, sign: int) -> int:
        if direction.select == "Disabled":
            return current
        limits = [
            _limit_of(policy, current - self._changed(now, policy.period_s), sign)
            for policy in direction.policies
        ]
        furthest, nearest = (max, min) if sign > 0 else (min, max)
        return furthest(limits) if direction.select == "Max" else nearest(limits)

    def _changed(self, now: float, period_s: int) -> int:
        return sum(change for when, change in self._changes if when > now - period_s)


def _limit_of(policy: Policy, start: int, sign: int) -> int:
    """How far a policy lets the count go that was `start` when its period began."""
    if not policy.percent:
        return start + sign * policy.value
    limit = start * (1 + sign * policy.value / 100)
    return _ceil(limit) if sign > 0 else int(limit)


def _ceil(value: float) -> int:
    return math.ceil(value - 1e-9)  # a sum of tenths is no reason for one pod more
