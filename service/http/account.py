"""Account: what becomes known of a request on its way, for its line in the log and its span."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.trace import Span, SpanContext, StatusCode

from service.tracing import NO_SPAN

_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_OWN = ("request_id", "format", "outcome", "images", "sizes", "segments")


@dataclass(frozen=True)
class Answered:
    """A photograph that was answered; none of its content."""

    rows: int
    columns: int
    segments: int
    timings_ms: Mapping[str, float]


@dataclass
class Account:
    """One request's, written by those who serve it. It lives on the event loop."""

    span: Span = NO_SPAN
    photographs: list[Answered] = field(default_factory=list)
    body_bytes: int = 0  # that came
    answer_bytes: int = 0  # that went

    def to_json(self) -> dict[str, Any]:
        """What of it there is: sizes as width x height, stages as milliseconds of all photographs together."""
        told: dict[str, Any] = {"body_bytes": self.body_bytes, "answer_bytes": self.answer_bytes}
        if self.photographs:
            told["images"] = len(self.photographs)
            told["sizes"] = [f"{each.columns}x{each.rows}" for each in self.photographs]
            told["segments"] = sum(each.segments for each in self.photographs)
            told["stages"] = self._stages()
        return told

    @property
    def traced(self) -> SpanContext:
        """Of the span, to be found again in batches."""
        return self.span.get_span_context()

    def _stages(self) -> dict[str, float]:
        spent: Counter[str] = Counter()
        for each in self.photographs:
            spent.update(each.timings_ms)
        return {stage: round(milliseconds, 2) for stage, milliseconds in spent.items()}


def request_fields(
    method: str, route: str, status: int, spent_s: float, state: Mapping[str, Any]
) -> dict[str, Any]:
    """What a request's line tells of it, and no more: no photograph, no key itself; "" is nothing.

    Args:
        state: the request's.
    """
    key, gone = state.get("key"), state.get("gone", False)
    return {
        "method": method,
        "route": route,
        "status": status,
        "outcome": "left" if gone else state.get("problem", "answered"),
        "milliseconds": round(spent_s * 1000, 1),
        "request_id": state["request_id"],
        "format": state.get("format", ""),
        "key": key.name if key else "",
        **state["account"].to_json(),
        **state["trace"].to_json(),
    }


def end_span(span: Span, told: Mapping[str, Any]) -> None:
    """End a request's span with what its line tells; which caller it was stays in the log."""
    method, route, status = told["method"], told["route"], told["status"]
    span.update_name(f"{method if method in _METHODS else 'HTTP'} {route}")
    span.set_attributes(
        {
            "http.request.method": method if method in _METHODS else "_OTHER",
            "http.route": route,
            "http.response.status_code": status,
            "http.request.body.size": told["body_bytes"],
            "http.response.body.size": told["answer_bytes"],
            **{f"panoptic.{name}": told[name] for name in _OWN if name in told},
        }
    )
    if status >= 500:
        span.set_status(StatusCode.ERROR, told["outcome"])
    span.end()
