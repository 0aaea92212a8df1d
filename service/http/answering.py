"""Answering: a request for segments, from its headers to its response."""

from contextlib import ExitStack

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from service.http.answers import Asked
from service.http.bodies import read_sent
from service.http.many import Lines, answer_each, join_answers
from service.http.negotiation import Format, check_many, choose_format
from service.http.options import OUTPUTS, PanopticOptions, read_query
from service.http.parts import parts_of
from service.http.problems import Problem
from service.http.sent import PART, Sent
from service.http.urgency import read_urgency
from service.http.walk import gone, unless_gone, walk
from service.pipeline.predictor import Predictor

_OF_MEMBERS: tuple[Format, ...] = ("json", "multipart", "ndjson")  # the forms whose members `outputs` chooses


async def answer(request: Request, names: tuple[str, ...] = (PART,)) -> Response:
    """Answer a request with one photograph or several.

    The query is read here, and not by the framework, which reads equal ones anew each time.

    Args:
        names: what a form's part with a photograph may be called.
    """
    parts = await parts_of(request)
    options = read_query(request.scope["query_string"])
    accept = ", ".join(request.headers.getlist("accept"))
    request.state.format = choose_format(accept, options.format)
    urgency = read_urgency(request, parts.settings.timeout_s)
    with ExitStack() as admitted:
        predictor = admitted.enter_context(parts.admission.admit(request, urgency))
        try:
            sent = await read_sent(request, parts, names)
        except ClientDisconnect:
            return gone(request)
        options = options.joined(sent.params)
        request.state.format = format_ = _format(accept, options, sent)
        asked = make_asked(request, predictor, options, format_)
        if not sent.many and format_ != "ndjson":
            account = request.state.account
            work = walk(parts, predictor, _bytes(sent), asked, urgency, account)
            return await unless_gone(work, request)
        admitted.enter_context(parts.admission.admit_more(request, predictor, urgency, len(sent.images) - 1))
        tasks = answer_each(parts, predictor, sent.images, asked, urgency, request.state.account)
        if format_ == "ndjson":
            return Lines(tasks, request, admitted.pop_all())
        return await unless_gone(join_answers(tasks, format_), request)


def make_asked(request: Request, predictor: Predictor, options: PanopticOptions, format_: Format) -> Asked:
    """What the options mean for this model.

    Raises: Problem: invalid-option.
    """
    if options.outputs is not None and format_ not in _OF_MEMBERS:
        raise Problem(
            "invalid-option",
            f"outputs chooses the members of {', '.join(_OF_MEMBERS)}; the form {format_} has none. Leave it out.",
        )
    return Asked(
        format="json" if format_ == "ndjson" else format_,
        merging=options.merging(predictor.manifest),
        min_score=options.min_score,
        request_id=request.state.request_id,
        begun=request.state.begun,
        selection=options.selection(predictor.manifest),
        outputs=frozenset(options.outputs or OUTPUTS),
        palette=options.png == "palette",
    )


def _format(accept: str, options: PanopticOptions, sent: Sent) -> Format:
    """The form of the answer, when the body's options and its form are known.

    Raises: Problem: not-acceptable.
    """
    chosen = choose_format(accept, options.format)
    if chosen == "json" and options.format is None and sent.hugging_face:
        return "huggingface"
    if sent.many:
        check_many(chosen)
    return chosen


def _bytes(sent: Sent) -> bytes:
    """The bytes of the one photograph."""
    (image,) = sent.images
    if isinstance(image, Problem):
        raise image
    return image
