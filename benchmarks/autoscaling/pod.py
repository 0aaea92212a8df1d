"""One pod: how long it takes for batches, what it holds, how long it takes to start."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.autoscaling.rules import read_max_queue

USUAL = Path(__file__).parent / "pod.json"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pod:
    """What a pod can do."""

    name: str
    source: str  # of the batches' times, in words
    batches: tuple[tuple[int, float], ...]  # (images, seconds), ascending; none that takes longer an image
    max_queue: int
    start_s: float  # from its creation until it is ready

    @property
    def capacity(self) -> float:
        """Images a second, at the best size of batch."""
        return max(size / seconds for size, seconds in self.batches)

    def seconds(self, waiting: Floats) -> Floats:
        """Of the batch that leaves when so many wait."""
        sizes, seconds = zip(*self.batches, strict=True)
        return np.interp(np.clip(waiting, sizes[0], sizes[-1]), sizes, seconds)

    def rate(self, waiting: Floats) -> Floats:
        """Images a second when so many wait."""
        return np.clip(waiting, 1, self.batches[-1][0]) / self.seconds(waiting)


def read_pod(path: Path = USUAL) -> Pod:
    """Of a file as pod.json. Where it states no queue, that of the manifests holds."""
    stated = json.loads(path.read_text(encoding="utf-8"))
    batches = worthwhile([(each["images"], each["seconds"]) for each in stated["batches"]])
    return Pod(
        stated["name"],
        stated["source"],
        batches,
        stated.get("max_queue", read_max_queue()),
        stated["start_s"],
    )


def worthwhile(batches: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """Those that take less an image than the smaller ones: the service runs no others (service/pipeline/pace.py)."""
    kept = batches[:1]
    for size, seconds in batches[1:]:
        if seconds / size < kept[-1][1] / kept[-1][0]:
            kept.append((size, seconds))
    return tuple(kept)
