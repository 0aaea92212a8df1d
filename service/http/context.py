"""Context: every request's id, its line in the log, its counts and its span; and the last net under all handlers."""

import itertools
import logging
import re
import secrets
import time
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.account import Account, end_span, request_fields
from service.http.problems import Problem
from service.http.trace import read_trace, tell_trace
from service.metrics import Metrics
from service.tracing import Tracing

HEADER = "X-Request-ID"
PROBES = ("/livez", "/readyz", "/metrics")  # asked every few seconds; their lines would drown the rest
CLIENT_GONE = 499  # as nginx counts a caller that left; it is never sent

_ALLOWED = re.compile(r"[A-Za-z0-9._-]{1,128}")

_numbers = itertools.count(secrets.randbits(80))  # one system call for all requests' ids

log = logging.getLogger("panoptic.http")


class RequestContext:
    """ASGI middleware. A pure one: Starlette's BaseHTTPMiddleware hides from handlers that their caller left."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Tracing):
        self.app = app
        self.metrics = metrics
        self.tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        account = self._open(scope, state)
        status = 0

        async def receive_counted() -> Message:
            message = await receive()
            account.body_bytes += len(message.get("body", b""))
            return message

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status, told = message["status"], MutableHeaders(scope=message)
                told[HEADER] = state["request_id"]
                if account.span.is_recording():
                    told["traceresponse"] = tell_trace(account.span.get_span_context())
            account.answer_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive_counted, send_with_id)
        except Exception:
            log.exception("%s failed", state["request_id"])
            if status == 0:
                problem = Problem("internal-error", "The service failed; its log has this request's id.")
                await problem.to_response(state["request_id"])(scope, receive, send_with_id)
        finally:
            self._close(scope, state, CLIENT_GONE if state.get("gone") else status)

    def _open(self, scope: Scope, state: dict[str, Any]) -> Account:
        headers = Headers(scope=scope)
        given = headers.get(HEADER, "")
        state["request_id"] = given if _ALLOWED.fullmatch(given) else new_request_id()
        state["begun"] = time.perf_counter()
        state["trace"] = read_trace(headers)
        account = state["account"] = Account()
        if scope["path"] not in PROBES:
            account.span = self.tracing.begin("request", state["trace"].context, state["begun"])
        return account

    def _close(self, scope: Scope, state: dict[str, Any], status: int) -> None:
        """Count the request, write its line, end its span."""
        route = getattr(scope.get("route"), "path", "unmatched")
        format_, span = state.get("format", ""), state["account"].span
        spent = time.perf_counter() - state["begun"]
        self.metrics.requests.labels(route, str(status), format_).inc()
        own = span.get_span_context()
        trace = own if own.is_valid else state["trace"].context
        if format_:
            exemplar = {"trace_id": f"{trace.trace_id:032x}"} if trace.trace_flags.sampled else None
            self.metrics.duration.labels(format_).observe(spent, exemplar)
        level = logging.DEBUG if route in PROBES else logging.INFO
        if not (span.is_recording() or log.isEnabledFor(level)):
            return
        fields = request_fields(scope["method"], route, status, spent, state)
        told = {name: value for name, value in fields.items() if value != ""}
        if span.is_recording():
            end_span(span, told)
        if own.is_valid:
            told |= {"trace_id": f"{own.trace_id:032x}", "span_id": f"{own.span_id:016x}"}
        _write(level, told)


def _write(level: int, told: dict[str, Any]) -> None:
    """Write the request's line; in the log's JSON its parts are fields of their own."""
    log.log(
        level,
        "%s %s %d %.1f ms %s %s%s%s",
        told["method"],
        told["route"],
        told["status"],
        told["milliseconds"],
        told["request_id"],
        told.get("format", "-"),
        f" {told['key']}" if "key" in told else "",
        f" trace {told['trace_id']}" if "trace_id" in told else "",
        extra=told,
    )


def new_request_id() -> str:
    """A UUID of version 7: ids sort by the time they were made, those of one millisecond too."""
    number = time.time_ns() // 1_000_000 << 80 | next(_numbers) & (1 << 80) - 1
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number & (1 << 128) - 1))
