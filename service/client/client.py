"""The two clients: one that waits, one that is awaited; all they share stands below them."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from tenacity import AsyncRetrying, Retrying

from service.client.errors import Refused, Unanswered
from service.client.patience import Deadline, patience, read_retry_after
from service.client.results import Segmentation, read_segmentation

Photograph = bytes | Path
"""The bytes of a photograph's file, or where it lies."""

Option = str | int | float | bool

_ROUTE = "/v1/panoptic"
_GRACE_S = 1.0  # the server is the one who says that the deadline passed


class Client:
    """A client of one server; it may be used by several threads at once."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = 60,
        transport: httpx.BaseTransport | None = None,
    ):
        """Connect when the first photograph comes.

        Args:
            url: of the server, `http://127.0.0.1:8000`.
            key: of the API, where the server asks for one.
            timeout_s: until when a photograph has to be answered, all tries together.
            transport: another one of httpx's, for tests and proxies.
        """
        self._timeout_s = timeout_s
        self._http = httpx.Client(base_url=url, headers=_headers(key), transport=transport)

    def segment(
        self, photograph: Photograph, *, timeout_s: float | None = None, **options: Option
    ) -> Segmentation:
        """Have a photograph segmented.

        A server that is busy, starts or cannot be reached is asked again, when it says or a little later each time.

        Args:
            timeout_s: instead of the client's own; the server is told, and drops what would be late.
            options: of the service, such as `min_score=0.5`.

        Raises:
            Refused: the server answered with a problem, the last time where it was asked again.
            Unanswered: it did not answer.
        """
        return read_segmentation(self._ask(photograph, timeout_s, "application/json", options))

    def overlay(self, photograph: Photograph, *, timeout_s: float | None = None, **options: Option) -> bytes:
        """The photograph under its colored segments, a WebP for people; raises as `segment`."""
        return self._ask(photograph, timeout_s, "image/webp", options)

    def model(self) -> dict[str, Any]:
        """What the server says of its model: classes with colors, licence, limits; raises as `segment`."""
        deadline = Deadline(self._timeout_s)
        with _told():
            answer = Retrying(**patience(deadline))(
                lambda: _checked(self._http.get("/v1/model", timeout=deadline.left_s()))
            )
        return dict(answer.json())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(
        self, photograph: Photograph, timeout_s: float | None, accept: str, options: dict[str, Option]
    ) -> bytes:
        deadline = Deadline(timeout_s or self._timeout_s)
        asked = _request(photograph, options)
        with _told():
            answer = Retrying(**patience(deadline))(
                lambda: _checked(self._http.post(_ROUTE, **asked, **_until(deadline, accept)))
            )
        return answer.content


class AsyncClient:
    """The same as `Client`, awaited; ask for many photographs at once by `asyncio.gather`."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = 60,
        transport: httpx.AsyncBaseTransport | None = None,
    ):
        """As `Client`."""
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(key), transport=transport)

    async def segment(
        self, photograph: Photograph, *, timeout_s: float | None = None, **options: Option
    ) -> Segmentation:
        """As `Client.segment`."""
        return read_segmentation(await self._ask(photograph, timeout_s, "application/json", options))

    async def overlay(
        self, photograph: Photograph, *, timeout_s: float | None = None, **options: Option
    ) -> bytes:
        """As `Client.overlay`."""
        return await self._ask(photograph, timeout_s, "image/webp", options)

    async def model(self) -> dict[str, Any]:
        """As `Client.model`."""
        deadline = Deadline(self._timeout_s)

        async def once() -> httpx.Response:
            return _checked(await self._http.get("/v1/model", timeout=deadline.left_s()))

        with _told():
            answer: httpx.Response = await AsyncRetrying(**patience(deadline))(once)
        return dict(answer.json())

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(
        self, photograph: Photograph, timeout_s: float | None, accept: str, options: dict[str, Option]
    ) -> bytes:
        deadline = Deadline(timeout_s or self._timeout_s)
        asked = _request(photograph, options)

        async def once() -> httpx.Response:
            return _checked(await self._http.post(_ROUTE, **asked, **_until(deadline, accept)))

        with _told():
            answer: httpx.Response = await AsyncRetrying(**patience(deadline))(once)
        return answer.content


@contextmanager
def _told() -> Iterator[None]:
    """Turn httpx's errors into ours."""
    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise Unanswered(f"There is no answer: {str(error).rstrip('.') or type(error).__name__}.") from error


def _headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def _request(photograph: Photograph, options: dict[str, Option]) -> dict[str, Any]:
    content = photograph if isinstance(photograph, bytes) else photograph.read_bytes()
    return {"content": content, "params": options}


def _until(deadline: Deadline, accept: str) -> dict[str, Any]:
    left_s = deadline.left_s()
    headers = {
        "Accept": accept,
        "Content-Type": "application/octet-stream",
        "X-Request-ID": str(uuid.uuid4()),
        "X-Request-Timeout-Ms": str(max(1, int(left_s * 1000))),
    }
    return {"headers": headers, "timeout": left_s + _GRACE_S}


def _checked(answer: httpx.Response) -> httpx.Response:
    """The answer, where it is none of a problem.

    Raises: Refused: it is.
    """
    if answer.is_success:
        return answer
    try:
        problem = json.loads(answer.content)
    except ValueError:
        problem = {}
    advice = read_retry_after(answer.headers.get("retry-after"))
    raise Refused(answer.status_code, problem if isinstance(problem, dict) else {}, advice)
