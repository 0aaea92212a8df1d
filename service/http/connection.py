"""The connection: how long, how many and how large a request's headers may be, which uvicorn leaves open.

A connection that sends nothing, or its headers byte by byte, is closed after a time; headers that grow beyond any use
are refused while they come, before the parser has kept them all.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http.context import new_request_id
from service.http.problems import Problem
from service.http.wire import LateFlow, OneWrite

MAX_HEADERS = 100
MAX_HEAD_BYTES = 32_768  # of the address and all headers


class BoundedConnection(HttpToolsProtocol):
    """Uvicorn's connection with limits; `connection_class` gives it its times."""

    head_timeout_s: float
    body_timeout_s: float

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._clock: asyncio.TimerHandle | None = None
        self._in_head = False  # whether headers have begun and not ended
        self._steps = 0  # of the parser
        self._fruitless = 0  # bytes since the last step, which the parser keeps

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request's headers their time."""
        super().connection_made(cast(asyncio.Transport, OneWrite(transport, self.loop)))
        self.flow = LateFlow(self.transport)
        self._start_clock(self.head_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and count what leads nowhere: headers or trailers without an end."""
        steps = self._steps
        super().data_received(data)
        self._fruitless = self._fruitless + len(data) if self._steps == steps else 0
        if self._fruitless > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(_head_too_large(f"more than {MAX_HEAD_BYTES} bytes"))

    def on_message_begin(self) -> None:
        """Give a request's headers their time."""
        super().on_message_begin()
        self._in_head = True
        self._steps += 1
        self._start_clock(self.head_timeout_s)

    def on_headers_complete(self) -> None:
        """Begin the request, if its headers are few and small enough."""
        self._in_head = False
        self._steps += 1
        self._stop_clock()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.headers) > MAX_HEADERS:
            self._refuse(_head_too_large(f"{len(self.headers)} headers"))
        elif size > MAX_HEAD_BYTES:
            self._refuse(_head_too_large(f"{size} bytes"))
        elif not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, unless its request was refused here."""
        self._steps += 1
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next request without a clock of ours; uvicorn has one for idle connections."""
        self._stop_clock()
        self._steps += 1
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Let a body that was refused unread come to its end, but not for ever."""
        more_to_come = self.cycle.more_body
        super().on_response_complete()
        if more_to_come and not self.transport.is_closing():
            self._start_clock(self.body_timeout_s)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, as a problem like every other."""
        if not self.transport.is_closing():
            self._refuse(
                Problem("malformed-request", "What came is no HTTP/1.1 request. Send one, without TLS.")
            )

    def _start_clock(self, seconds: float) -> None:
        self._stop_clock()
        self._clock = self.loop.call_later(seconds, self._too_slow)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _too_slow(self) -> None:
        """Close a connection; one that began to send headers is told why."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._refuse(
                Problem(
                    "too-slow",
                    f"The headers were not whole after {self.head_timeout_s:g} s (PANOPTIC_HEAD_TIMEOUT_S). "
                    "Send them at once.",
                )
            )
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Answer before there is a request that the app could answer, and close.

        Where an earlier request of this connection is still being answered, nothing may be written between.
        """
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_written(problem))
        self.transport.close()


def connection_class(*, head_timeout_s: float, body_timeout_s: float) -> type[BoundedConnection]:
    """The class for uvicorn's `http`, with these times."""
    times = {"head_timeout_s": head_timeout_s, "body_timeout_s": body_timeout_s}
    return type("Connection", (BoundedConnection,), times)


def _head_too_large(found: str) -> Problem:
    return Problem(
        "headers-too-large",
        f"Address and headers have {found}; this server takes up to {MAX_HEADERS} headers and "
        f"{MAX_HEAD_BYTES} bytes. Send fewer.",
        limit=MAX_HEAD_BYTES,
    )


def _written(problem: Problem) -> bytes:
    request_id = new_request_id()
    response = problem.to_response(request_id)
    headers = [
        *response.raw_headers,
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    reason = problem.kind.title.encode()
    return b"HTTP/1.1 %d %s\r\n" % (response.status_code, reason) + head + b"\r\n" + bytes(response.body)
