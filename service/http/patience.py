"""Patience: how long a body may take to come; whoever reads it, and in whatever form it is."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import Problem
from service.metrics import Metrics
from service.pipeline.queue import clock


class BodyInTime:
    """ASGI middleware: a body that is not whole in time is refused where it is read, and its connection closed."""

    def __init__(self, app: ASGIApp, timeout_s: float, metrics: Metrics):
        self.app = app
        self.timeout_s = timeout_s
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        end, whole = clock() + self.timeout_s, False

        async def receive_in_time() -> Message:
            nonlocal whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout(end - clock()):
                    message = await receive()
            except TimeoutError:
                self.metrics.rejected.labels("too-slow").inc()
                raise self._too_slow() from None
            if message["type"] == "http.disconnect":
                self.metrics.walks.cancelled.labels("body").inc()
            whole = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        await self.app(scope, receive_in_time if scope["type"] == "http" else receive, send)

    def _too_slow(self) -> Problem:
        return Problem(
            "too-slow",
            f"The body was not whole after {self.timeout_s:g} s (PANOPTIC_BODY_TIMEOUT_S). "
            "Send a smaller photograph, or over a faster line.",
            headers={"Connection": "close"},
            limit=self.timeout_s,
        )
