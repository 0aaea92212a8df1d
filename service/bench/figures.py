"""Figures: what a load shows, of its samples."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.bench.load import OK, Sample
from service.bench.process import Usage


@dataclass(frozen=True)
class Figures:
    """One run of load. Latencies are of the answers alone; what was no answer is in `errors`."""

    loop: str  # closed or open
    offered: float  # connections of a closed loop, arrivals a second of an open one
    seconds: float  # from the first request to the last answer
    images: int  # that were answered
    images_per_s: float
    p50_ms: float | None  # None where nothing was answered
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    errors: dict[str, int]  # by status
    cpu_ms: float | None  # of the server's processes, an answered image; None where they are not seen
    rss_mb: float | None  # the most


def summarize(samples: Sequence[Sample], *, loop: str, offered: float, usage: Usage | None = None) -> Figures:
    """Figures of a run.

    Args:
        samples: at least one, in any order.
    """
    seconds = max(sample.ended for sample in samples) - min(sample.due for sample in samples)
    latencies = np.array([sample.ended - sample.due for sample in samples if sample.status == OK]) * 1000
    errors = Counter(sample.status for sample in samples if sample.status != OK)
    images = len(latencies)
    cuts = np.percentile(latencies, (50, 95, 99, 100)).tolist() if images else [None] * 4
    return Figures(
        loop=loop,
        offered=offered,
        seconds=seconds,
        images=images,
        images_per_s=images / seconds,
        p50_ms=cuts[0],
        p95_ms=cuts[1],
        p99_ms=cuts[2],
        max_ms=cuts[3],
        errors=dict(sorted(errors.items())),
        cpu_ms=usage.cpu_s * 1000 / images if usage and images else None,
        rss_mb=usage.peak_rss / 1e6 if usage else None,
    )
