"""Jobs through the network: several photographs in a batch, in the lanes that the engine has."""

import itertools
import threading
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.fit import Sizes
from service.backends import Backend, Heads, Maps, Merger
from service.pipeline.batch import Batch
from service.pipeline.batcher import Release

Timings = dict[str, float]
"""Milliseconds of every stage, in order: decode, prepare, queue, infer, group, and what comes after."""


@dataclass(frozen=True)
class Ran:
    """What the network said of a photograph, N = 1."""

    output: Heads | Maps  # maps where it was merged in the graph
    timings_ms: Timings = field(compare=False)  # queue and infer
    begun: float = field(compare=False)  # `time.perf_counter` when it was submitted
    batch: int = field(compare=False)  # the number of the batch that it was in


@dataclass(frozen=True)
class Job:
    """A photograph on its way to the network."""

    picture: NDArray[np.uint8]
    sizes: Sizes
    merged: bool  # whether it is merged in the graph
    origin: object
    submitted: float = field(default_factory=time.perf_counter)

    @property
    def pixels(self) -> int:
        """Of the photograph."""
        rows, columns = self.sizes.output
        return rows * columns

    @property
    def key(self) -> tuple[int | str, ...]:
        """What jobs of one batch share."""
        return key_of(self.picture.shape, merged=self.merged)


class _Here(threading.local):
    """What a thread knows of its own."""

    batch = 0  # number of the one that it ran last


class Runs:
    """What a batcher runs: batches of jobs, gathered, numbered and told of."""

    def __init__(self, backend: Backend, merger: Merger | None):
        """Run jobs by a backend, and those that are merged in the graph by the merger."""
        self.backend, self.merger = backend, merger
        self._here = _Here()
        # Buffers by their shape, of each as many as there were batches at once.
        self._spare: dict[tuple[int, ...], list[NDArray[np.uint8]]] = {}
        self._numbers = itertools.count(1)  # of batches

    def run(self, jobs: list[Job], size: int) -> list[Ran]:
        """Run a batch of jobs that share a key, filled up to `size`."""
        begun = time.perf_counter()
        engine = self.merger if jobs[0].merged and self.merger is not None else self.backend
        batch = self._gather(jobs, size)
        output = engine.run(batch)
        infer = elapsed_ms(begun)
        if size > 1:
            self._spare[batch.shape].append(batch)
        self._here.batch = next(self._numbers)
        return [
            Ran(
                output.row(index),
                {"queue": elapsed_ms(job.submitted, begun), "infer": infer},
                job.submitted,
                self._here.batch,
            )
            for index, job in enumerate(jobs)
        ]

    def told(self, release: Release[Job]) -> Batch:
        """What a release was; it is that of the batch that this thread has just run."""
        jobs = release.items
        rows, columns = jobs[0].sizes.input
        return Batch(
            self._here.batch,
            len(jobs),
            release.size,
            release.reason,
            release.waited_s,
            release.seconds,
            release.size * rows * columns,
            sum(job.sizes.fitted[0] * job.sizes.fitted[1] for job in jobs),
            tuple(job.origin for job in jobs),
        )

    def _gather(self, jobs: list[Job], size: int) -> NDArray[np.uint8]:
        """(size, H, W, 3), the jobs' pictures first; what pads the batch is whatever was there before."""
        if size == 1:
            return jobs[0].picture[None]
        shape = (size, *jobs[0].picture.shape)
        try:
            buffer = self._spare.setdefault(shape, []).pop()
        except IndexError:
            buffer = np.zeros(shape, np.uint8)
        for row, job in zip(buffer, jobs, strict=False):
            np.copyto(row, job.picture)
        return buffer


def key_of(shape: tuple[int, ...], *, merged: bool) -> tuple[int | str, ...]:
    """What pictures of one batch share: their shape, and which graph they go through."""
    return (*shape, "merged") if merged else shape


def elapsed_ms(begun: float, ended: float | None = None) -> float:
    """Milliseconds from `begun` until `ended` or now, both of `time.perf_counter`."""
    return ((time.perf_counter() if ended is None else ended) - begun) * 1000
