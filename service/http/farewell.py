"""Farewell: while the server leaves, every answer says so, and nobody who was let in goes without one."""

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.readiness import Readiness


class Farewell:
    """ASGI middleware.

    While the server leaves, answers close their connections: callers who keep one open come back by a new one, which a
    balancer leads elsewhere, and none is cut between two requests. A request that the server cuts short itself is
    answered with a problem, where uvicorn would say a bare 500.
    """

    def __init__(self, app: ASGIApp, readiness: Readiness):
        self.app = app
        self.readiness = readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_last(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if self.readiness.closing:
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        try:
            await self.app(scope, receive, send_last)
        except asyncio.CancelledError:
            if started:
                raise
            problem = self.readiness.problem()
            await problem.to_response(scope["state"]["request_id"])(scope, receive, send_last)
