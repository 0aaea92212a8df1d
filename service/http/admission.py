"""Admission: what is refused by its headers alone, before a byte of the body is read."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request

from service.http.forecast import Forecast
from service.http.keys import Key, key_of
from service.http.problems import Problem
from service.http.readiness import Readiness
from service.http.urgency import Urgency
from service.pipeline.predictor import Predictor
from service.pipeline.queue import Priority
from service.settings import Settings

_MAX_RETRY_S = 60
_TOO_MUCH = ("queue-full", "deadline-too-near")  # problems that more servers would mend
_GUESS_S = 0.2  # a photograph's time before the first was measured


@dataclass(frozen=True)
class Load:
    """What one request holds from its headers to its answer."""

    images: int
    body_bytes: int
    priority: Priority
    key: Key | None


class Admission:
    """Counts what is accepted and not yet answered: photographs, bytes, photographs of each key.

    It lives on the event loop. Probes and metrics never come here.
    """

    def __init__(self, settings: Settings, readiness: Readiness, forecast: Forecast):
        self._settings = settings
        self._readiness = readiness
        self._forecast = forecast
        self._metrics = readiness.metrics
        self._images: Counter[Priority] = Counter()
        self._of_key: Counter[str] = Counter()
        self._accepted = 0  # photographs of all priorities
        self._bytes = 0

    @contextmanager
    def admit(self, request: Request, urgency: Urgency, *, images: int = 1) -> Iterator[Predictor]:
        """Take a request in until its answer is made.

        Args:
            images: how many photographs the request has; those that only its body tells are taken in by `admit_more`.

        Raises: Problem: not-ready, body-too-large, queue-full, key-busy or deadline-too-near.
        """
        load = Load(images, self._declared(request), urgency.priority, key_of(request))
        try:
            predictor = self._readiness.serving()
            self._check_length(request)
            self._check_queue(predictor, load)
            self._check_key(predictor, load)
            self._check_deadline(predictor, urgency)
        except Problem as problem:
            self._tell_refusal(problem, load)
            raise
        self._add(load, 1)
        try:
            with self._readiness.leases.taken(predictor):
                yield predictor
        finally:
            self._add(load, -1)

    @contextmanager
    def admit_more(
        self, request: Request, predictor: Predictor, urgency: Urgency, images: int
    ) -> Iterator[None]:
        """Take in further photographs of a request that is in.

        Raises: Problem: queue-full or key-busy.
        """
        load = Load(images, 0, urgency.priority, key_of(request))
        try:
            self._check_queue(predictor, load)
            self._check_key(predictor, load)
        except Problem as problem:
            self._tell_refusal(problem, load)
            raise
        self._add(load, 1)
        try:
            yield
        finally:
            self._add(load, -1)

    def queue_full(self, predictor: Predictor) -> Problem:
        """The problem of one photograph too many."""
        limit = self._settings.max_queue
        return self._full(
            predictor,
            f"{self._accepted} photographs wait for their answer, this server takes up to {limit} "
            f"(PANOPTIC_MAX_QUEUE)",
            limit,
        )

    def _add(self, load: Load, sign: int) -> None:
        self._images[load.priority] += sign * load.images
        self._accepted += sign * load.images
        self._bytes += sign * load.body_bytes
        if load.key is not None:
            self._of_key[load.key.name] += sign * load.images
        self._metrics.inflight.set(self._accepted)
        self._metrics.inflight_bytes.set(self._bytes)

    def _tell_refusal(self, problem: Problem, load: Load) -> None:
        self._metrics.rejected.labels(problem.name).inc()
        if problem.name in _TOO_MUCH:
            for _ in range(load.images):
                self._readiness.saturation.refuse()

    def _declared(self, request: Request) -> int:
        """Bytes of the body; as many as may be where its length is not told."""
        declared = request.headers.get("content-length", "")
        if declared.isdecimal():
            return int(declared)
        return self._settings.max_body_bytes if "transfer-encoding" in request.headers else 0

    def _check_length(self, request: Request) -> None:
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._settings.max_body_bytes:
            raise body_too_large(f"{int(declared) / 1e6:.1f} MB", self._settings.max_body_mb)

    def _check_queue(self, predictor: Predictor, load: Load) -> None:
        if self._accepted + load.images > self._settings.max_queue:
            raise self.queue_full(predictor)
        if self._bytes and self._bytes + load.body_bytes > self._settings.max_queue_bytes:
            limit = self._settings.max_queue_mb
            raise self._full(
                predictor,
                f"The bodies of what is accepted have {self._bytes / 1e6:.1f} MB, with this one they would pass the "
                f"{limit:g} MB that this server takes (PANOPTIC_MAX_QUEUE_MB)",
                limit,
            )

    def _check_key(self, predictor: Predictor, load: Load) -> None:
        key = load.key
        if key is None or key.concurrency is None:
            return
        under_way = self._of_key[key.name]
        if under_way + load.images > key.concurrency:
            retry_after = self._retry_after(predictor, under_way)
            raise Problem(
                "key-busy",
                f"The key {key.name} has {under_way} photographs under way and may have {key.concurrency}. "
                f"Wait for an answer, or come again in {retry_after} s.",
                retry_after_s=retry_after,
                limit=key.concurrency,
            )

    def _check_deadline(self, predictor: Predictor, urgency: Urgency) -> None:
        """Refuse what would be late; where nothing is ahead it is tried, so that a wrong forecast is mended."""
        ahead = sum(images for priority, images in self._images.items() if priority <= urgency.priority)
        if not ahead:
            return
        left = urgency.left_s()
        expected = self._forecast.answer_s(predictor.batcher, ahead, urgency.priority)
        if expected > left:
            retry_after = min(max(math.ceil(expected - left), 1), _MAX_RETRY_S)
            raise Problem(
                "deadline-too-near",
                f"With {ahead} photographs ahead an answer takes about {expected:.1f} s, and this one must come within "
                f"{urgency.timeout_s:g} s. Give it longer, or come again in {retry_after} s.",
                retry_after_s=retry_after,
                limit=urgency.timeout_s,
            )

    def _full(self, predictor: Predictor, found: str, limit: float) -> Problem:
        retry_after = self._retry_after(predictor, self._accepted)
        return Problem(
            "queue-full", f"{found}. Come again in {retry_after} s.", retry_after_s=retry_after, limit=limit
        )

    def _retry_after(self, predictor: Predictor, ahead: int) -> int:
        """Whole seconds until what is ahead now will be done."""
        wait_s = self._forecast.wait_s(predictor.batcher, ahead) or ahead * _GUESS_S
        return min(max(math.ceil(wait_s), 1), _MAX_RETRY_S)


def body_too_large(found: str, max_body_mb: float) -> Problem:
    """The problem of too many bytes."""
    return Problem(
        "body-too-large",
        f"The body has {found}, this server takes up to {max_body_mb:g} MB (PANOPTIC_MAX_BODY_MB). "
        "Send a smaller photograph.",
        limit=max_body_mb,
    )
