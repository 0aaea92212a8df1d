"""Context: every request's id, its line in the log and its counts; and the last net under all handlers."""

import logging
import re
import secrets
import time
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import Problem
from service.http.trace import read_trace
from service.metrics import Metrics

HEADER = "X-Request-ID"
PROBES = ("/livez", "/readyz", "/metrics")  # asked every few seconds; their lines would drown the rest
CLIENT_GONE = 499  # as nginx counts a caller that left; it is never sent

_ALLOWED = re.compile(r"[A-Za-z0-9._-]{1,128}")

log = logging.getLogger("panoptic.http")


class RequestContext:
    """ASGI middleware. A pure one: Starlette's BaseHTTPMiddleware hides from handlers that their caller left."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        headers = Headers(scope=scope)
        given = headers.get(HEADER, "")
        state["request_id"] = given if _ALLOWED.fullmatch(given) else new_request_id()
        state["begun"] = time.perf_counter()
        state["trace"] = read_trace(headers)
        status, stages = 0, ""

        async def send_with_id(message: Message) -> None:
            nonlocal status, stages
            if message["type"] == "http.response.start":
                status, told = message["status"], MutableHeaders(scope=message)
                told[HEADER] = state["request_id"]
                stages = told.get("Server-Timing", "")
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            log.exception("%s failed", state["request_id"])
            if status == 0:
                problem = Problem("internal-error", "The service failed; its log has this request's id.")
                await problem.to_response(state["request_id"])(scope, receive, send_with_id)
        finally:
            self._count(scope, state, status, stages)

    def _count(self, scope: Scope, state: dict[str, Any], status: int, stages: str) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        format_ = state.get("format", "")
        status = CLIENT_GONE if state.get("gone") else status
        spent = time.perf_counter() - state["begun"]
        self.metrics.requests.labels(route, str(status), format_).inc()
        if format_:
            self.metrics.duration.labels(format_).observe(spent)
        _tell(scope, state, status, spent, stages)


def _tell(scope: Scope, state: dict[str, Any], status: int, spent_s: float, stages: str) -> None:
    """Write the request's line; in the log's JSON its parts are fields of their own."""
    route = getattr(scope.get("route"), "path", "unmatched")
    format_, key, trace = state.get("format", ""), state.get("key"), state["trace"]
    fields = {
        "method": scope["method"],
        "route": route,
        "status": status,
        "milliseconds": round(spent_s * 1000, 1),
        "request_id": state["request_id"],
        "format": format_,
        "key": key.name if key else "",
        "stages": stages,
    }
    log.log(
        logging.DEBUG if route in PROBES else logging.INFO,
        "%s %s %d %.1f ms %s %s%s%s",
        scope["method"],
        route,
        status,
        spent_s * 1000,
        state["request_id"],
        format_ or "-",
        f" {key.name}" if key else "",
        f" trace {trace.trace_id}" if trace.trace_id else "",
        extra={name: value for name, value in fields.items() if value != ""} | trace.to_json(),
    )


def new_request_id() -> str:
    """A UUID of version 7: ids sort by the time they were made."""
    number = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number & (1 << 128) - 1))
