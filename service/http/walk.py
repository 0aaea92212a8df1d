"""The walk of one photograph through the service: decode, run, merge, encode; and its end when the caller leaves."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from service.http.answers import Asked, make_answer
from service.http.context import CLIENT_GONE
from service.http.parts import Parts
from service.http.problems import problem_of_image
from service.http.urgency import Urgency, deadline_passed
from service.pipeline.batcher import BatcherClosed
from service.pipeline.image_errors import ImageError
from service.pipeline.predictor import Predictor, Prepared, Ran, Timings
from service.pipeline.queue import DeadlinePassed, QueueFull


async def walk(parts: Parts, predictor: Predictor, data: bytes, asked: Asked, urgency: Urgency) -> Response:
    """Decode, run, merge, encode; what has not begun is dropped when it is cancelled or late."""
    loop = asyncio.get_running_loop()

    def prepare() -> Prepared:
        urgency.check()
        return predictor.prepare(data, keep_photograph=asked.shows_photograph)

    def finish(ran: Ran) -> tuple[Response, Timings]:
        urgency.check()
        return make_answer(predictor, prepared, ran, asked)

    try:
        prepared = await loop.run_in_executor(parts.pool, prepare)
        submitted = predictor.submit(prepared, priority=urgency.priority, deadline=urgency.deadline)
        ran = await asyncio.wrap_future(submitted)
    except ImageError as error:
        raise problem_of_image(error, parts.settings.max_megapixels) from error
    except QueueFull:
        raise parts.admission.queue_full(predictor) from None
    except DeadlinePassed:
        raise deadline_passed(urgency) from None
    except BatcherClosed:
        parts.readiness.require()
        raise
    response, timings = await loop.run_in_executor(parts.pool, finish, ran)
    parts.metrics.observe_stages(timings)
    return response


async def unless_gone(work: "asyncio.Task[Response]", request: Request) -> Response | None:
    """Wait for the work, or drop it as soon as the caller has left; then there is no response."""
    watcher = asyncio.create_task(_wait_for_leave(request))
    try:
        await asyncio.wait({work, watcher}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        work.cancel()
        watcher.cancel()


async def _wait_for_leave(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def gone(request: Request, parts: Parts) -> Response:
    """A response for nobody."""
    request.state.gone = True
    parts.metrics.cancelled.inc()
    return Response(status_code=CLIENT_GONE)
