"""The walk of one photograph through the service: decode, run, merge, encode; and its end when it is of no use.

A caller that leaves and a deadline that passes both end the walk where it is: what has not begun is dropped, and
counted by its stage. The stages are wait (before the gate), decode, queue (for the engine), infer and merge.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from service.http.account import Account, Answered
from service.http.addresses import Photograph, address, recognise, tell
from service.http.answers import Asked, Made, make_answer
from service.http.cache import Name, to_keep
from service.http.context import CLIENT_GONE
from service.http.flights import Flight, Seen
from service.http.gate import Place
from service.http.parts import Parts
from service.http.problems import Problem, problem_of_image
from service.http.urgency import Urgency, deadline_passed
from service.pipeline.batcher import BatcherClosed
from service.pipeline.image_errors import ImageError
from service.pipeline.predictor import Predictor, Prepared
from service.pipeline.queue import DeadlinePassed, QueueFull, clock
from service.pipeline.relay import done, then
from service.pipeline.runs import Ran
from service.pipeline.soundness import HeadsNotFinite

T = TypeVar("T")

log = logging.getLogger("panoptic.http")


class EngineFailed(Exception):
    """The engine failed on this photograph alone."""


@dataclass
class Step:
    """Where a walk is."""

    flight: Flight | None = None  # that it waits for
    kept: bool = False  # whether it goes on from what is kept

    def __str__(self) -> str:
        if self.kept:
            return "merge"
        return "wait" if self.flight is None else self.flight.stage


@dataclass(frozen=True)
class Walk:
    """One photograph on its way, and for whom."""

    parts: Parts
    predictor: Predictor
    data: bytes
    photograph: Photograph
    asked: Asked
    urgency: Urgency
    account: Account


async def walk(
    parts: Parts, predictor: Predictor, data: bytes, asked: Asked, urgency: Urgency, account: Account
) -> Response:
    """Decode, run, merge, encode; equal photographs at the same time are decoded and run once.

    Raises: Problem: of the photograph, the queue, the engine or the deadline.
    """
    async with _bounded(parts, predictor, asked, urgency) as step:
        photograph = await recognise(parts.pool, predictor, data, asked, urgency)
        one = Walk(parts, predictor, data, photograph, asked, urgency, account)
        seen = None if urgency.alone else parts.cache.get(photograph)
        if seen is None:
            return await _fly(one, step)
        parts.metrics.walks.cache.labels("hit").inc()
        step.kept = True
        return await _merge(one, done(seen))


async def walk_again(
    parts: Parts,
    predictor: Predictor,
    photograph: Photograph,
    seen: Seen,
    asked: Asked,
    urgency: Urgency,
    account: Account,
) -> Response:
    """Make an answer of what is kept of a photograph.

    Raises: Problem: as `walk`.
    """
    async with _bounded(parts, predictor, asked, urgency) as step:
        one = Walk(parts, predictor, b"", photograph, asked, urgency, account)
        step.kept = True
        return await _merge(one, done(seen))


async def unless_gone(work: Coroutine[Any, Any, T], request: Request) -> T | Response:
    """Do the work, and drop it as soon as the caller has left.

    It is done in the task that asks: another one would have to be begun, and waited for, in a turn of the loop each.
    """
    task = asyncio.current_task()
    assert task is not None  # whoever awaits is in one
    left = False

    async def watch() -> None:
        nonlocal left
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if left and not task.uncancel():
            return gone(request)
        raise
    finally:
        watcher.cancel()


def gone(request: Request) -> Response:
    """A response for nobody."""
    request.state.gone = True
    return Response(status_code=CLIENT_GONE)


async def _fly(one: Walk, step: Step) -> Response:
    """Share a run or begin one; and begin another where the one that was shared came too late for its own caller."""
    parts, urgency = one.parts, one.urgency
    key = object() if urgency.alone else (one.photograph, urgency.priority)
    while True:
        with parts.flights.join(key, lambda flight: _begin(one, flight)) as (flight, joined):
            parts.metrics.walks.cache.labels("joined" if joined else "miss").inc()
            step.flight = flight
            try:
                return await _merge(one, flight.seen, shared=joined)
            except DeadlinePassed:
                if urgency.left_s() <= 0:
                    raise


def _begin(one: Walk, flight: Flight) -> None:
    """Send a photograph past the gate, through its decoding and through the network."""
    flight.place = one.parts.gate.enter(one.urgency.priority, one.urgency.deadline)
    flight.seen = then(flight.place, lambda place: _decode(one, flight, place), one.parts.pool.begin)


def _decode(one: Walk, flight: Flight, place: Place) -> "Future[Seen]":
    """Decode a photograph and queue it for the engine, in a thread of the pool."""
    place.result()
    parts, urgency = one.parts, one.urgency
    if clock() >= urgency.deadline:
        raise DeadlinePassed("the deadline passed before the photograph was decoded")
    prepared = one.predictor.prepare(one.data, keep_photograph=one.photograph.shown)
    parts.metrics.walks.pixels.observe(_pixels(prepared))
    parts.readiness.saturation.offer(_pixels(prepared))
    parts.tracing.stages(one.account.span, prepared.begun, prepared.timings_ms)
    submitted = one.predictor.submit(
        prepared,
        merged=one.photograph.merged,
        priority=urgency.priority,
        deadline=urgency.deadline,
        origin=one.account.traced,
    )
    return then(flight.submit(submitted), lambda submitted: _see(one, prepared, submitted))


def _see(one: Walk, prepared: Prepared, submitted: "Future[Ran]") -> Seen:
    """Take what the network said, in the thread that ran it."""
    try:
        ran = submitted.result()
    except (CancelledError, DeadlinePassed, BatcherClosed):
        raise
    except Exception as error:
        _tell_failure(one, "error", error)
        raise EngineFailed from error
    one.parts.tracing.stages(one.account.span, ran.begun, ran.timings_ms, {"panoptic.batch": ran.batch})
    return Seen(prepared, ran)


async def _merge(one: Walk, coming: "Future[Seen]", *, shared: bool = False) -> Response:
    """Make the answer of what the network said, in a thread of the pool.

    Args:
        shared: the run was begun by another caller, who counts its times and keeps it.
    """
    parts = one.parts
    keeps = parts.cache.on and not one.urgency.alone
    answer = then(coming, lambda seen: _answer(one, seen.result(), keeps and not shared), parts.pool.finish)
    try:
        made, kept = await asyncio.wrap_future(answer)
    except HeadsNotFinite as error:
        _tell_failure(one, "not_finite", error)
        raise EngineFailed from error
    _count(one, coming.result(), made, shared=shared)
    if kept is not None:
        parts.cache.keep(one.photograph, kept)
    if keeps:
        digest = address(one.photograph, one.asked)
        parts.cache.name(one.urgency.caller, digest, Name(one.photograph, one.asked))
        tell(made.response, digest)
    return made.response


def _count(one: Walk, seen: Seen, made: Made, *, shared: bool) -> None:
    parts, timings = one.parts, made.timings_ms
    one.account.photographs.append(Answered(*seen.prepared.sizes.output, made.segments, timings))
    merging = {stage: timings[stage] for stage in ("group", "encode")}
    parts.tracing.stages(one.account.span, made.merged, merging)
    parts.metrics.walks.segments.observe(made.segments)
    run = {*seen.prepared.timings_ms, *seen.ran.timings_ms} if shared else set()
    parts.metrics.observe_stages({stage: spent for stage, spent in timings.items() if stage not in run})
    if not (shared or seen.kept):
        parts.forecast.learn(timings)
        others_wait = parts.gate.is_crowded or one.predictor.batcher.depth > 0
        parts.readiness.saturation.answer(_pixels(seen.prepared), others_wait=others_wait)


def _pixels(prepared: Prepared) -> int:
    """Of the photograph."""
    rows, columns = prepared.sizes.output
    return rows * columns


def _answer(one: Walk, seen: Seen, keeps: bool) -> tuple[Made, Seen | None]:
    """The answer, and what is to be kept of the photograph."""
    if clock() >= one.urgency.deadline:
        raise DeadlinePassed("the deadline passed before the heads were merged")
    made = make_answer(one.predictor, seen.prepared, seen.ran, one.asked)
    return made, to_keep(seen) if keeps and not seen.kept else None


@asynccontextmanager
async def _bounded(parts: Parts, predictor: Predictor, asked: Asked, urgency: Urgency) -> AsyncIterator[Step]:
    """Let a walk go on until its deadline; what ends it early is counted, and becomes a problem.

    Yields: where the walk is, for it to write.
    """
    step = Step()
    try:
        async with asyncio.timeout(urgency.left_s()):
            yield step
    except asyncio.CancelledError:
        parts.metrics.walks.cancelled.labels(str(step)).inc()
        raise
    except (TimeoutError, DeadlinePassed):
        parts.metrics.walks.late.labels(str(step)).inc()
        raise deadline_passed(urgency) from None
    except ImageError as error:
        raise problem_of_image(error, parts.settings.max_megapixels) from error
    except QueueFull:
        raise parts.admission.queue_full(predictor) from None
    except EngineFailed:
        raise Problem(
            "engine-failed",
            "The engine failed on this photograph; others are not touched by it. Send it once more, and if it fails "
            f"again, tell who runs the server: the log has the error under {asked.request_id}.",
        ) from None
    except BatcherClosed:
        parts.readiness.serving()
        raise


def _tell_failure(one: Walk, kind: str, error: Exception) -> None:
    one.parts.metrics.walks.failures.labels(kind).inc()
    log.error("%s: the engine failed: %s", one.asked.request_id, error, exc_info=error)
