"""Patience: which failures are worth another try, when, and until when."""

import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from tenacity import RetryCallState, retry_if_exception, stop_before_delay, wait_random_exponential

from service.client.errors import Refused

BUSY = frozenset({429, 502, 503})  # the server's own, and those of a proxy before it

_backoff = wait_random_exponential(multiplier=0.1, max=5)  # where the server gives no advice


@dataclass(frozen=True)
class Deadline:
    """Until when an answer is of use."""

    timeout_s: float
    begun: float = field(default_factory=time.monotonic)

    def left_s(self) -> float:
        """Seconds until it; a little at least, so that the server can be the one who says that it has passed."""
        return max(0.001, self.begun + self.timeout_s - time.monotonic())


def patience(deadline: Deadline) -> dict[str, Any]:
    """Arguments of tenacity's `Retrying` and `AsyncRetrying`.

    A wait that would end after the deadline is not begun: the last error is raised at once.
    """
    return {
        "retry": retry_if_exception(worth_another_try),
        "wait": _wait,
        "stop": stop_before_delay(deadline.timeout_s),
        "reraise": True,
    }


def worth_another_try(error: BaseException) -> bool:
    """Whether the same request may be answered later: no connection, or no room at this moment.

    A photograph is segmented anew without harm, so a request whose connection broke may be sent again.
    """
    if isinstance(error, Refused):
        return error.status in BUSY
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def read_retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header, of either form; None where there is none that can be read."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _wait(state: RetryCallState) -> float:
    """The server's advice and a little of chance, so that those it turned away do not all come back at once."""
    error = state.outcome.exception() if state.outcome is not None else None
    chance = _backoff(state)
    if isinstance(error, Refused) and error.retry_after_s is not None:
        return error.retry_after_s + min(chance, 0.5)
    return chance
