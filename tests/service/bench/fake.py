"""A server of a few lines on a real socket, whose answers and stalls a test decides."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from service.bench.connection import Target


@dataclass
class Fake:
    """What it answers, and what it saw."""

    status: Callable[[int], int] = lambda number: (
        200
    )  # of each request, by its number; 0 closes the connection
    stall_at: int | None = None  # this request and all that come within the stall wait until its end
    stall_s: float = 1.0
    requests: int = 0
    connections: int = 0
    bodies: list[bytes] = field(default_factory=list)
    _until: float = 0.0

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[Target]:
        server = await asyncio.start_server(self._answer_all, "127.0.0.1", 0)
        async with server:
            yield Target("127.0.0.1", server.sockets[0].getsockname()[1], "/v1/panoptic")

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the caller has left
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        self.bodies.append(await reader.readexactly(length))
        number, self.requests = self.requests, self.requests + 1
        loop = asyncio.get_running_loop()
        if number == self.stall_at:
            self._until = loop.time() + self.stall_s
        await asyncio.sleep(max(0.0, self._until - loop.time()))
        if (status := self.status(number)) == 0:
            return False
        writer.write(f"HTTP/1.1 {status} Fine\r\nContent-Length: 2\r\n\r\nok".encode())
        await writer.drain()
        return True
