"""The choice of an engine: of the runtimes and precisions that may be used, the quickest that passes the self-test."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from model.bundle import Bundle, BundleError, Precision
from service.backends import RUNTIMES, Backend, Runtime, open_backend, precisions
from service.pipeline.proof import prove_golden

CLEARLY = 0.7  # share of the others' time within which a format spares its runtime's other formats the trial
ROUNDS = 3  # after the self-test's run, which warms up; the least time counts, others' work only adds to it

Reason = Literal["stated", "only", "fastest"]


@dataclass(frozen=True)
class Trial:
    """One runtime in one precision: how long a photograph took, or why it cannot be used."""

    runtime: Runtime
    precision: Precision
    milliseconds: float | None = None  # a photograph alone; None was not measured
    refusal: str = ""

    def __str__(self) -> str:
        found = "not measured" if self.milliseconds is None else f"{self.milliseconds:.1f} ms"
        return f"{self.runtime} {self.precision}: {self.refusal or found}"


@dataclass(frozen=True)
class Choice:
    """The engine that was taken, and what else was tried."""

    backend: Backend
    reason: Reason
    trials: tuple[Trial, ...]
    fallback: str = ""  # why the processor stands in for the GPU that was asked for


def choose_backend(
    bundle: Bundle,
    *,
    runtime: Runtime | Literal["auto"] = "auto",
    precision: Precision | Literal["auto"] = "auto",
    threads: int,
    runtimes: Sequence[Runtime] = RUNTIMES,
    open_: Callable[..., Backend] = open_backend,
) -> Choice:
    """Open the engine that was asked for, or the quickest here.

    Args:
        runtimes: what `auto` chooses from.
        open_: as `open_backend`.

    Raises: BundleError: what was asked for cannot be used, or nothing can.
    """
    open_one = partial(open_, bundle, threads=threads)
    if runtime != "auto" and precision != "auto":
        return Choice(open_one(runtime, precision), "stated", (Trial(runtime, precision),))
    asked = runtimes if runtime == "auto" else (runtime,)
    passed: list[tuple[Backend, Trial]] = []
    refused: list[Trial] = []
    for each in asked:
        known = precisions(bundle, each)
        for format_ in known if precision == "auto" else (precision,):
            opened = _try(bundle, open_one, Trial(each, format_))
            if isinstance(opened, Trial):
                refused.append(opened)
            else:
                passed.append((opened, Trial(each, format_)))
                # On a GPU the formats after it take longer. A processor may compute bf16 in detours.
                if opened.gpu is not None or _wins_clearly(bundle, passed):
                    break
    if not passed:
        raise BundleError(_nothing(bundle, refused))
    if len(passed) == 1:
        (backend, trial), *_ = passed
        return Choice(backend, "only", (trial, *refused))
    return _fastest(bundle, passed, refused)


def _try(bundle: Bundle, open_one: Callable[..., Backend], trial: Trial) -> Backend | Trial:
    """An engine that answers every golden as it must, or the trial with its refusal."""
    try:
        backend = open_one(trial.runtime, trial.precision)
    except BundleError as error:
        return Trial(trial.runtime, trial.precision, refusal=str(error))
    try:
        for golden in bundle.manifest.goldens:
            prove_golden(bundle, backend, golden, 1)
    except BundleError as error:
        backend.close()
        return Trial(trial.runtime, trial.precision, refusal=str(error))
    return backend


def _wins_clearly(bundle: Bundle, passed: list[tuple[Backend, Trial]]) -> bool:
    """Whether the last that passed needs a good deal less time than all before it."""
    if len(passed) == 1:
        return False
    *others, last = _milliseconds(bundle, passed, 1)
    return last < CLEARLY * min(others)


def _milliseconds(bundle: Bundle, passed: list[tuple[Backend, Trial]], rounds: int) -> list[float]:
    """The least time of each for one picture, measured in turns, so that each meets the same moments."""
    picture = np.zeros((1, *bundle.manifest.input.buckets[0], 3), np.uint8)
    best = [float("inf")] * len(passed)
    for _ in range(rounds):
        for index, (backend, _trial) in enumerate(passed):
            begun = time.perf_counter()
            backend.run(picture)
            best[index] = min(best[index], (time.perf_counter() - begun) * 1000)
    return best


def _fastest(bundle: Bundle, passed: list[tuple[Backend, Trial]], refused: list[Trial]) -> Choice:
    """Measure all that passed; keep one."""
    best = _milliseconds(bundle, passed, ROUNDS)
    chosen = best.index(min(best))
    for index, (backend, _trial) in enumerate(passed):
        if index != chosen:
            backend.close()
    trials = [
        Trial(trial.runtime, trial.precision, round(milliseconds, 1))
        for (_, trial), milliseconds in zip(passed, best, strict=True)
    ]
    return Choice(passed[chosen][0], "fastest", (*trials, *refused))


def _nothing(bundle: Bundle, refused: Sequence[Trial]) -> str:
    if len(refused) == 1:
        return refused[0].refusal
    return f"No engine here can run {bundle.path}: {' '.join(map(str, refused))}"
