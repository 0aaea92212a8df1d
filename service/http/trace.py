"""The trace that a request belongs to, as its caller tells it: W3C's Trace Context."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


@dataclass(frozen=True)
class Trace:
    """One trace, for the log; empty where the caller tells of none, or not as the standard has it."""

    trace_id: str = ""  # 32 hexadecimal digits
    parent_id: str = ""  # 16, of the caller's span
    state: str = ""  # what tracing systems add, key=value, …
    context: SpanContext = field(default=INVALID_SPAN_CONTEXT, compare=False, repr=False)  # all of it

    def to_json(self) -> dict[str, str]:
        """The fields that are told."""
        told = {"trace_id": self.trace_id, "parent_id": self.parent_id, "tracestate": self.state}
        return {name: value for name, value in told.items() if value}


def read_trace(headers: Mapping[str, str]) -> Trace:
    """Read `traceparent` and `tracestate`; what is malformed counts as none."""
    if "traceparent" not in headers:
        return Trace()
    given = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
    span = get_current_span(_PROPAGATOR.extract(given)).get_span_context()
    if not span.is_valid:
        return Trace()
    return Trace(f"{span.trace_id:032x}", f"{span.span_id:016x}", span.trace_state.to_header(), span)


def tell_trace(span: SpanContext) -> str:
    """A span of ours as `traceresponse` tells it, in the form of `traceparent`."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
