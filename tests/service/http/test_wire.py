"""The wire: a head goes with its body, nothing is kept back or lost, and reading stops where nobody takes what came."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from service.http.wire import LateFlow, OneWrite

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


class Line:
    """A transport that remembers."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def writelines(self, data: tuple[bytes, ...]) -> None:
        self.calls.append(b"".join(data))

    def close(self) -> None:
        self.calls.append("close")

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


def wire(use: Callable[[OneWrite, Line], None]) -> tuple[list[Any], list[Any]]:
    """What was sent in one turn of the loop, and what after it too."""

    async def scene() -> tuple[list[Any], list[Any]]:
        line = Line()
        use(OneWrite(cast(asyncio.Transport, line), asyncio.get_running_loop()), line)
        at_once = list(line.calls)
        await asyncio.sleep(0)
        return at_once, line.calls

    return asyncio.run(scene())


def test_a_head_goes_with_what_follows_it_and_the_rest_at_once() -> None:
    def use(transport: OneWrite, line: Line) -> None:
        for piece in (HEAD, b"body", b"more"):
            transport.write(piece)

    at_once, later = wire(use)
    assert at_once == later == [HEAD + b"body", b"more"]


def test_a_head_that_nothing_follows_goes_at_the_end_of_the_turn() -> None:
    at_once, later = wire(lambda transport, line: transport.write(HEAD))
    assert (at_once, later) == ([], [HEAD])


def test_answers_behind_each_other_keep_their_order() -> None:
    def use(transport: OneWrite, line: Line) -> None:
        for piece in (HEAD, HEAD, HEAD, b"body"):
            transport.write(piece)

    assert wire(use)[1] == [HEAD * 2, HEAD + b"body"]


def test_what_was_kept_goes_before_lines() -> None:
    def use(transport: OneWrite, line: Line) -> None:
        transport.write(HEAD)
        transport.writelines((b"bo", b"dy"))

    assert wire(use)[0] == [HEAD, b"body"]


def test_what_was_kept_goes_before_the_connection_is_closed() -> None:
    def use(transport: OneWrite, line: Line) -> None:
        transport.write(HEAD)
        transport.close()

    assert wire(use)[1] == [HEAD, "close"]


def test_all_else_is_the_transports() -> None:
    assert wire(lambda transport, line: transport.pause_reading())[1] == ["pause"]


def test_reading_stops_at_the_second_piece_that_nobody_took() -> None:
    async def scene() -> list[Any]:
        line = Line()
        flow = LateFlow(cast(asyncio.Transport, line))
        flow.pause_reading()
        flow.resume_reading()
        assert line.calls == []
        for _ in range(3):
            flow.pause_reading()
        flow.resume_reading()
        return line.calls

    assert asyncio.run(scene()) == ["pause", "resume"]
