"""Saturation: the highest rate of arrivals that a server keeps up with, found by raising it until it does not."""

from collections.abc import Callable
from dataclasses import dataclass

from service.bench.figures import Figures

Offer = Callable[[float], Figures]
"""Offers a rate of arrivals, images a second, for a while."""

STEP = 1.25
HALVINGS = 3  # of the span in which the knee lies
KEPT_UP = 0.95  # of what arrived a second must be answered a second, the last answer's way included
_STEPS = 24  # up or down, at most: a factor of 200


@dataclass(frozen=True)
class Knee:
    """Where a server saturates."""

    held: Figures | None  # at the highest rate that was kept up with; None where none was
    runs: tuple[Figures, ...]  # all, in the order of trying

    @property
    def images_per_s(self) -> float:
        """The capacity: what came, or what was answered where the last one took its time."""
        return min(self.held.images_per_s, self.held.offered) if self.held else 0.0


def find_knee(offer: Offer, start: float) -> Knee:
    """Raise the rate from `start` until the server falls behind, then halve the span; sink it first where needed."""
    runs: list[Figures] = []
    held: Figures | None = None

    def holds(rate: float) -> bool:
        nonlocal held
        runs.append(offer(rate))
        if keeps_up(runs[-1]):
            held = runs[-1]
            return True
        return False

    low, high = _bracket(holds, start)
    for _ in range(HALVINGS if held else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return Knee(held, tuple(runs))


def keeps_up(figures: Figures) -> bool:
    """Whether all were answered, and as fast as they came."""
    return not figures.errors and figures.images_per_s >= KEPT_UP * figures.offered


def _bracket(holds: Callable[[float], bool], start: float) -> tuple[float, float]:
    """A rate that holds and one that does not, a step apart."""
    rate = start
    if holds(rate):
        for _ in range(_STEPS):
            if not holds(rate * STEP):
                break
            rate *= STEP
        return rate, rate * STEP
    for _ in range(_STEPS):
        rate /= STEP
        if holds(rate):
            break
    return rate, rate * STEP
