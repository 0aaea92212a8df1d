"""Many photographs in one request: each walks for itself, with its own answer or its own problem."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.http.account import Account
from service.http.answers import Asked, write_parts
from service.http.negotiation import MEDIA_TYPES, Format
from service.http.parts import Parts
from service.http.problems import MEDIA_TYPE as PROBLEM
from service.http.problems import Problem
from service.http.urgency import Urgency
from service.http.walk import unless_gone, walk
from service.pipeline.coco import join_documents
from service.pipeline.encode import to_json
from service.pipeline.predictor import Predictor

Answering = asyncio.Task[Response]
"""A photograph on its way to an answer or a problem; it raises neither."""

_HEADERS = {"Vary": "Accept"}

log = logging.getLogger("panoptic.http")


def answer_each(
    parts: Parts,
    predictor: Predictor,
    images: Sequence[bytes | Problem],
    asked: Asked,
    urgency: Urgency,
    account: Account,
) -> list[Answering]:
    """Send every photograph on its way."""
    return [
        asyncio.create_task(
            _answer(parts, predictor, image, asked, urgency, account), name=f"photograph {index}"
        )
        for index, image in enumerate(images)
    ]


async def join_answers(tasks: Sequence[Answering], format_: Format) -> Response:
    """Wait for all, and write them into one answer, in order; cancelled, it cancels them."""
    answers = await asyncio.gather(*tasks)
    content: Any
    match format_:
        case "multipart":
            body, media_type = write_parts(
                (answer.headers["content-type"], bytes(answer.body)) for answer in answers
            )
            return Response(body, headers=_HEADERS, media_type=media_type)
        case "coco" | "rle":
            content = _joined_documents(answers)
        case "huggingface":
            content = [
                orjson.Fragment(answer.body) if answer.status_code == 200 else _hugging_face_error(answer)
                for answer in answers
            ]
        case _:
            content = {"results": [_result(index, answer) for index, answer in enumerate(answers)]}
    return Response(to_json(content), headers=_HEADERS, media_type=MEDIA_TYPES[format_])


def problem_of(answer: Response) -> Problem:
    """The problem that an answer tells."""
    told = orjson.loads(answer.body)
    rest = {
        name: told[name] for name in told if name not in ("type", "title", "status", "detail", "instance")
    }
    return Problem(told["type"].rpartition("/")[2], told["detail"], **rest)


class Lines(Response):
    """A line of JSON for each photograph, sent as soon as it is done."""

    media_type = MEDIA_TYPES["ndjson"]

    def __init__(self, tasks: Sequence[Answering], request: Request, admitted: ExitStack):
        """Take over the photographs; `admitted` is closed when the last line is sent, or the caller has left."""
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._tasks = tasks
        self._request = request
        self._admitted = admitted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines, or stop where the caller leaves."""
        with self._admitted:
            try:
                await unless_gone(self._send(send), self._request)
            finally:
                for task in self._tasks:
                    task.cancel()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        indices = {task: index for index, task in enumerate(self._tasks)}
        waiting = set(self._tasks)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=indices.__getitem__):
                line = to_json(_result(indices[task], task.result())) + b"\n"
                await send({"type": "http.response.body", "body": line, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _answer(
    parts: Parts,
    predictor: Predictor,
    image: bytes | Problem,
    asked: Asked,
    urgency: Urgency,
    account: Account,
) -> Response:
    """One photograph's answer or problem; a fault of ours is its problem too, and not its neighbours'."""
    try:
        if isinstance(image, Problem):
            raise image
        return await walk(parts, predictor, image, asked, urgency, account)
    except Problem as problem:
        return problem.to_response(asked.request_id)
    except Exception:
        log.exception("%s failed", asked.request_id)
        fault = Problem("internal-error", "The service failed; its log has this request's id.")
        return fault.to_response(asked.request_id)


def _result(index: int, answer: Response) -> dict[str, Any]:
    """A photograph's line: its place in the request, its status, and its answer or its problem."""
    member = "problem" if answer.media_type == PROBLEM else "answer"
    return {"index": index, "status": answer.status_code, member: orjson.Fragment(answer.body)}


def _hugging_face_error(answer: Response) -> dict[str, Any]:
    return {"error": orjson.loads(answer.body)["detail"]}


def _joined_documents(answers: Sequence[Response]) -> dict[str, Any]:
    """One COCO document; photographs are numbered from 1, those with a problem are left out and told apart.

    Raises: Problem: the first, where every photograph has one, since then there is nothing to tell.
    """
    good = {index: answer for index, answer in enumerate(answers, start=1) if answer.status_code == 200}
    bad = {index: answer for index, answer in enumerate(answers, start=1) if index not in good}
    if not good:
        raise problem_of(answers[0])
    joined = join_documents({index: orjson.loads(answer.body) for index, answer in good.items()})
    problems = [
        {"image_id": index, "status": answer.status_code, "problem": orjson.Fragment(answer.body)}
        for index, answer in bad.items()
    ]
    return joined | {"problems": problems}
