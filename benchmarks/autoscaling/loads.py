"""Loads: requests a second over time, and what else happens meanwhile."""

from dataclasses import dataclass

import numpy as np

from benchmarks.autoscaling.pod import Floats

HOUR = 3600
DAY = "diurnal day"
STEP = "step, 4 times"


@dataclass(frozen=True)
class Scenario:
    """One thing that happens to a service."""

    name: str
    rates: Floats  # requests a second, one for each second
    lost: tuple[int, float] | None = None  # at this second this share of the ready pods is gone
    blind: tuple[int, int] | None = None  # from and until: the signal cannot be read
    rollout: int | None = None  # begins at this second


def scenarios() -> tuple[Scenario, ...]:
    """All that `make simulate` runs; the largest asks for 10,000 images a second."""
    flat = np.full(HOUR, 1000.0)
    return (
        Scenario(DAY, diurnal()),
        Scenario(STEP, _piecewise(HOUR, [(0, 500), (599, 500), (600, 2000)])),
        Scenario(
            "flash crowd, 20 times",
            _piecewise(HOUR, [(0, 500), (600, 500), (630, 10_000), (1500, 10_000), (2100, 500)]),
        ),
        Scenario("slow ramp, 8 times", _piecewise(2 * HOUR, [(0, 500), (600, 500), (5400, 4000)])),
        Scenario("a third of the pods lost", flat, lost=(600, 1 / 3)),
        Scenario(
            "Prometheus out for 10 min, load +30 %",
            _piecewise(HOUR, [(0, 1000), (600, 1000), (1100, 1300)]),
            blind=(600, 1200),
        ),
        Scenario("rollout under load", flat, rollout=600),
    )


def diurnal(seed: int = 7) -> Floats:
    """A day between 400 and 4,000 a second, two peaks, and minutes that are busier than others."""
    hours = np.arange(24 * HOUR) / HOUR
    shape = 0.1 + 0.9 * np.clip(np.sin((hours - 6) / 15 * np.pi), 0, None) ** 1.5
    shape *= 1 - 0.25 * np.exp(-((hours - 13.5) ** 2) / 1.5)
    minutes = np.random.default_rng(seed).normal(1, 0.03, 24 * 60 + 1)
    wobble = np.interp(np.arange(24 * HOUR), np.arange(24 * 60 + 1) * 60, minutes)
    return 4000 * shape * wobble


def _piecewise(seconds: int, points: list[tuple[int, float]]) -> Floats:
    times, rates = zip(*points, strict=True)
    return np.interp(np.arange(seconds), times, rates)
