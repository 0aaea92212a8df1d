"""A connection to a server under load: HTTP/1.1 on a bare socket, parsed by httptools.

A client that costs a millisecond a request would be measured along with the server where both share a machine. This
one sends bytes that were put together before, and looks at nothing of an answer but its status.
"""

import asyncio
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httptools

from service.settings import SettingsError

ROUTE = "/v1/panoptic"  # where an address names none
FAILURE = (ConnectionError, OSError, httptools.HttpParserError)

_ALONE = "Cache-Control: no-cache\r\n"  # no run is shared


@dataclass(frozen=True)
class Target:
    """Where requests go."""

    host: str
    port: int
    path: str  # with its query

    @property
    def authority(self) -> str:
        """Host and port as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_target(url: str, query: str = "") -> Target:
    """Read an address such as `127.0.0.1:8000` or `http://host:8000/path?a=b`.

    Raises: SettingsError: it is none that can be asked.
    """
    parts = urlsplit(url if "//" in url else f"http://{url}")
    try:
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port = None, 0
    if parts.scheme != "http" or not host:
        raise SettingsError(f"{url!r} is no address to load. Give one as in http://127.0.0.1:8000.")
    path = parts.path if parts.path not in ("", "/") else ROUTE
    asked = "&".join(filter(None, (parts.query, query)))
    return Target(host, port, f"{path}?{asked}" if asked else path)


def post(target: Target, content: bytes, media_type: str = "image/jpeg", *, alone: bool = True) -> bytes:
    """The bytes of a request that posts a photograph.

    Args:
        alone: whether it wants a run of its own, however many send the same at a time.
    """
    head = (
        f"POST {target.path} HTTP/1.1\r\nHost: {target.authority}\r\nContent-Type: {media_type}\r\n"
        f"{_ALONE if alone else ''}"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def post_file(target: Target, path: Path) -> bytes:
    """The bytes of a request that posts a photograph's file."""
    media_type, _ = mimetypes.guess_type(path.name)
    return post(target, path.read_bytes(), media_type or "application/octet-stream")


class Connection:
    """Owns a socket, opened when it is first needed and again when the server closed it; one request at a time."""

    def __init__(self, target: Target):
        self.target = target
        self._wire: _Wire | None = None

    async def exchange(self, request: bytes) -> int:
        """Send a request and read its answer to the end: the status.

        Raises: ConnectionError, OSError, httptools.HttpParserError: there is no answer, or none in HTTP.
        """
        if self._wire is None or self._wire.closed:
            loop = asyncio.get_running_loop()
            _, self._wire = await loop.create_connection(_Wire, self.target.host, self.target.port)
        return await self._wire.exchange(request)

    def close(self) -> None:
        """Close the socket, whatever is under way."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class _Wire(asyncio.Protocol):
    """One socket's life, and the answer that is waited for."""

    def __init__(self) -> None:
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[int] | None = None

    async def exchange(self, request: bytes) -> int:
        assert self._transport is not None  # it is connected
        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # as of every TCP connection
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self._fail(error or ConnectionResetError("the server closed the connection"))

    def on_message_complete(self) -> None:
        """The end of an answer; the parser calls it by this name."""
        if not self._parser.should_keep_alive():
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
