"""Urgency: who goes first, and until when an answer is of use to its caller."""

from dataclasses import dataclass

from starlette.datastructures import Headers

from service.http.problems import Problem
from service.pipeline.queue import Priority, clock

PRIORITY = "X-Priority"
TIMEOUTS = ("X-Request-Timeout-Ms", "X-Envoy-Expected-Rq-Timeout-Ms")  # the caller's, and a proxy's

_PRIORITIES = {priority.name.lower(): priority for priority in Priority}


@dataclass(frozen=True)
class Urgency:
    """What a request's headers say of its time."""

    priority: Priority
    timeout_s: float
    deadline: float  # of the queue's clock, in seconds

    def check(self) -> None:
        """Refuse to go on for nobody.

        Raises: Problem: deadline-passed.
        """
        if clock() >= self.deadline:
            raise deadline_passed(self)


def read_urgency(headers: Headers, max_timeout_s: float) -> Urgency:
    """The smallest of the timeouts in the headers and the server's, counted from now.

    Raises: Problem: invalid-option, where a header is no priority or no number of milliseconds.
    """
    name = headers.get(PRIORITY, "interactive").strip().lower()
    if name not in _PRIORITIES:
        raise Problem("invalid-option", f"{PRIORITY} is {name!r}; it may be {' or '.join(_PRIORITIES)}.")
    timeouts = [_seconds(header, headers[header]) for header in TIMEOUTS if header in headers]
    timeout_s = min([*timeouts, max_timeout_s])
    return Urgency(_PRIORITIES[name], timeout_s, clock() + timeout_s)


def deadline_passed(urgency: Urgency) -> Problem:
    """The problem of an answer that would come too late."""
    return Problem(
        "deadline-passed",
        f"The answer was not ready within {urgency.timeout_s:g} s, so the work was dropped. Give it longer "
        f"({TIMEOUTS[0]}, up to this server's PANOPTIC_TIMEOUT_S), or come again when less waits.",
        limit=urgency.timeout_s,
    )


def _seconds(header: str, text: str) -> float:
    if not text.strip().isdecimal() or len(text) > 12:
        raise Problem(
            "invalid-option", f"{header} is {text[:40]!r}; it must be a whole number of milliseconds."
        )
    return int(text) / 1000
