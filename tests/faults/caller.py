"""Callers on bare sockets, who tell a refusal from a loss: no library between them and the server repeats anything."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """What became of one request."""

    status: int  # 0: none came
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    refused: bool = False  # nothing was sent: there was no connection

    @property
    def lost(self) -> bool:
        """It was sent on a connection, and nothing came back."""
        return self.status == 0 and not self.refused


def distinct(picture: bytes, number: int) -> bytes:
    """The same picture in other bytes: requests that are alike might share one run."""
    return picture + number.to_bytes(4, "big")  # behind its end, where no decoder looks


def get(path: str) -> bytes:
    """The bytes of a request for a page."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def request(body: bytes, path: str = "/v1/panoptic", **headers: str) -> bytes:
    """The bytes of a request."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Caller:
    """One connection at a time, kept open for as long as the server keeps it."""

    def __init__(self, port: int):
        self._port = port
        self._wire: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, content: bytes) -> Answer:
        """Send a request and read its answer."""
        begun = time.perf_counter()
        if self._wire is None:
            try:
                self._wire = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
            except OSError:
                return Answer(0, refused=True)
        reader, writer = self._wire
        try:
            writer.write(content)
            await writer.drain()
            status, headers, body = await read_answer(reader)
        except (OSError, EOFError, ValueError):
            self.close()
            return Answer(0, seconds=time.perf_counter() - begun)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body, time.perf_counter() - begun)

    def close(self) -> None:
        if self._wire is not None:
            self._wire[1].close()
            self._wire = None


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one answer.

    Raises: EOFError, ValueError: there is none, or none in HTTP.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ")[1])
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
    }
    return status, headers, await reader.readexactly(int(headers.get("content-length", "0")))


async def keep_asking(
    port: int, content: bytes, until: Callable[[Answer], bool], pause_s: float = 0.0
) -> list[Answer]:
    """Ask by one caller, again and again, until an answer is the last."""
    caller, answers = Caller(port), []
    while True:
        answers.append(await caller.ask(content))
        if until(answers[-1]):
            caller.close()
            return answers
        await asyncio.sleep(pause_s)


async def ask_once(port: int, content: bytes) -> Answer:
    """Ask by a caller of its own."""
    (answer,) = await ask_all(port, [content])
    return answer


async def ask_all(port: int, contents: list[bytes]) -> list[Answer]:
    """Ask all at once, each by a caller of its own."""
    callers = [Caller(port) for _ in contents]
    answers = await asyncio.gather(
        *(caller.ask(content) for caller, content in zip(callers, contents, strict=True))
    )
    for caller in callers:
        caller.close()
    return list(answers)


async def ticks(rate: float, seconds: float) -> AsyncIterator[int]:
    """Count at a steady rate, late ones at once."""
    begun = time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        yield number
