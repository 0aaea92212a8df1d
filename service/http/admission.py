"""Admission: what is refused by its headers alone, before a byte of the body is read."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from service.http.problems import Problem
from service.http.readiness import Readiness
from service.pipeline.predictor import Predictor
from service.settings import Settings

_MAX_RETRY_S = 60
_GUESS_S = 0.2  # an image's time before the first was measured


class Admission:
    """Counts the photographs that are accepted and not yet answered. It lives on the event loop."""

    def __init__(self, settings: Settings, readiness: Readiness):
        self._settings = settings
        self._readiness = readiness
        self._metrics = readiness.metrics
        self._accepted = 0

    @contextmanager
    def admit(self, request: Request) -> Iterator[Predictor]:
        """Take a request in until its answer is made.

        Raises: Problem: not-ready, body-too-large or queue-full.
        """
        try:
            predictor = self._readiness.serving()
            self._check_length(request)
            self._check_queue(predictor)
        except Problem as problem:
            self._metrics.rejected.labels(problem.name).inc()
            raise
        self._accepted += 1
        self._metrics.inflight.set(self._accepted)
        try:
            with self._readiness.leases.taken(predictor):
                yield predictor
        finally:
            self._accepted -= 1
            self._metrics.inflight.set(self._accepted)

    def queue_full(self, predictor: Predictor) -> Problem:
        """The problem of one photograph too many."""
        wait_s = predictor.batcher.expected_wait_s() or self._accepted * _GUESS_S
        retry_after = min(max(math.ceil(wait_s), 1), _MAX_RETRY_S)
        limit = self._settings.max_queue
        return Problem(
            "queue-full",
            f"{self._accepted} photographs wait for their answer, this server takes up to {limit} "
            f"(PANOPTIC_MAX_QUEUE). Come again in {retry_after} s.",
            retry_after_s=retry_after,
            limit=limit,
        )

    def _check_length(self, request: Request) -> None:
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._settings.max_body_bytes:
            raise body_too_large(f"{int(declared) / 1e6:.1f} MB", self._settings.max_body_mb)

    def _check_queue(self, predictor: Predictor) -> None:
        if self._accepted >= self._settings.max_queue:
            raise self.queue_full(predictor)


def body_too_large(found: str, max_body_mb: float) -> Problem:
    """The problem of too many bytes."""
    return Problem(
        "body-too-large",
        f"The body has {found}, this server takes up to {max_body_mb:g} MB (PANOPTIC_MAX_BODY_MB). "
        "Send a smaller photograph.",
        limit=max_body_mb,
    )
