"""The wire: fewer system calls for a request than asyncio and uvicorn make by themselves.

Each gives Python's lock away, which the event loop then waits for while photographs are decoded and merged.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl

_HEAD = b"HTTP/1.1 "


class OneWrite:
    """A transport that sends an answer's head together with the beginning of its body; all else is the other's."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop):
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send, or keep a head until what follows it, the end of this turn of the loop at the latest."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """Send, behind what was kept."""
        self._flush()
        self._transport.writelines(pieces)

    def close(self) -> None:
        """Send what was kept, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class LateFlow(FlowControl):
    """Stops reading where a second piece comes before the first was taken.

    Most photographs come in one: to stop and to go on for each would be two calls for nothing.
    """

    _full = False

    def pause_reading(self) -> None:
        """Stop, the second time."""
        if self._full:
            super().pause_reading()
        self._full = True

    def resume_reading(self) -> None:
        """Go on: what came was taken."""
        self._full = False
        super().resume_reading()
