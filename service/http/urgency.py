"""Urgency: who goes first, until when an answer is of use to its caller, and whether it may be shared."""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request

from service.http.keys import Key, key_of
from service.http.problems import Problem
from service.pipeline.queue import Priority, clock

PRIORITY = "X-Priority"
TIMEOUTS = ("X-Request-Timeout-Ms", "X-Envoy-Expected-Rq-Timeout-Ms")  # the caller's, and a proxy's

_PRIORITIES = {priority.name.lower(): priority for priority in Priority}
_ALONE = {"no-cache", "no-store"}


@dataclass(frozen=True)
class Urgency:
    """What a request says of its time and of its caller."""

    priority: Priority
    timeout_s: float
    deadline: float  # of the queue's clock, in seconds
    caller: str = ""  # the name of its key; empty where the server has none
    alone: bool = False  # it wants a run of its own: none that is shared, nothing that is kept

    def left_s(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.deadline - clock()


def read_urgency(request: Request, max_timeout_s: float) -> Urgency:
    """The smallest of the timeouts in the headers and the server's, counted from now.

    Raises: Problem: invalid-option, where a header is no priority or no number of milliseconds; key-forbids.
    """
    headers, key = request.headers, key_of(request)
    timeouts = [_seconds(header, headers[header]) for header in TIMEOUTS if header in headers]
    timeout_s = min([*timeouts, max_timeout_s])
    return Urgency(
        _priority(headers, key),
        timeout_s,
        clock() + timeout_s,
        caller="" if key is None else key.name,
        alone=bool(_ALONE & {word.strip().lower() for word in headers.get("cache-control", "").split(",")}),
    )


def deadline_passed(urgency: Urgency) -> Problem:
    """The problem of an answer that would come too late."""
    return Problem(
        "deadline-passed",
        f"The answer was not ready within {urgency.timeout_s:g} s, so the work was dropped. Give it longer "
        f"({TIMEOUTS[0]}, up to this server's PANOPTIC_TIMEOUT_S), or come again when less waits.",
        limit=urgency.timeout_s,
    )


def _priority(headers: Headers, key: Key | None) -> Priority:
    """The priority that is asked for, or the highest that the key may have, or interactive."""
    highest = Priority.INTERACTIVE if key is None else key.priority
    name = headers.get(PRIORITY, highest.name).strip().lower()
    if name not in _PRIORITIES:
        raise Problem("invalid-option", f"{PRIORITY} is {name!r}; it may be {' or '.join(_PRIORITIES)}.")
    if _PRIORITIES[name] < highest:
        raise Problem(
            "key-forbids",
            f"{PRIORITY} is {name}, and this key may ask for {highest.name.lower()}. Leave {PRIORITY} out.",
        )
    return _PRIORITIES[name]


def _seconds(header: str, text: str) -> float:
    if not text.strip().isdecimal() or len(text) > 12:
        raise Problem(
            "invalid-option", f"{header} is {text[:40]!r}; it must be a whole number of milliseconds."
        )
    return int(text) / 1000
