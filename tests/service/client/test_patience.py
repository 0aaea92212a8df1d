"""The client's patience: what it asks again, when, and when it gives up."""

import asyncio
import email.utils
import time

import httpx
import pytest

from service.client import AsyncClient, Client, Refused, Unanswered
from service.client.patience import read_retry_after


class Server:
    """Answers as it is told, one reply after another, the last one for ever."""

    def __init__(self, *replies: httpx.Response | Exception):
        self.replies = list(replies)
        self.asked: list[httpx.Request] = []
        self.at: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.at.append(time.monotonic())
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    def client(self, timeout_s: float = 10) -> Client:
        return Client("http://server", timeout_s=timeout_s, transport=httpx.MockTransport(self))

    async def ask(self, timeout_s: float = 10) -> bytes:
        async with AsyncClient(
            "http://server", timeout_s=timeout_s, transport=httpx.MockTransport(self)
        ) as client:
            return await client.overlay(b"photograph")


def busy(status: int = 429, retry_after: str = "0") -> httpx.Response:
    problem = {"type": "/problems/queue-full", "detail": "Come again."}
    return httpx.Response(status, headers={"Retry-After": retry_after}, json=problem)


DONE = httpx.Response(200, content=b"picture")


@pytest.mark.parametrize(
    "first",
    [busy(429), busy(502), busy(503), httpx.ConnectError("refused"), httpx.RemoteProtocolError("reset")],
    ids=["429", "502", "503", "no connection", "a broken connection"],
)
def test_what_may_be_answered_later_is_asked_again(first: httpx.Response | Exception) -> None:
    server, awaited = Server(first, first, DONE), Server(first, DONE)

    with server.client() as client:
        assert client.overlay(b"photograph") == b"picture"
    assert asyncio.run(awaited.ask()) == b"picture"

    assert (len(server.asked), len(awaited.asked)) == (3, 2)
    assert {request.content for request in server.asked} == {b"photograph"}


@pytest.mark.parametrize("status", [400, 404, 413, 422, 500, 504])
def test_what_would_be_refused_again_is_asked_once(status: int) -> None:
    server = Server(busy(status))

    with server.client() as client, pytest.raises(Refused):
        client.overlay(b"photograph")

    assert len(server.asked) == 1


def test_the_next_try_comes_no_sooner_than_the_server_says() -> None:
    server = Server(busy(retry_after="1"), DONE)

    with server.client() as client:
        client.overlay(b"photograph")

    assert server.at[1] - server.at[0] >= 1


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    server = Server(busy(retry_after="60"))

    with server.client(timeout_s=5) as client, pytest.raises(Refused) as caught:
        client.overlay(b"photograph")

    assert len(server.asked) == 1
    assert (caught.value.name, caught.value.retry_after_s) == ("queue-full", 60)


def test_every_try_tells_the_server_what_is_left_of_the_time() -> None:
    server = Server(busy(retry_after="1"), DONE)

    with server.client(timeout_s=7) as client:
        client.overlay(b"photograph")

    first, second = (int(request.headers["X-Request-Timeout-Ms"]) for request in server.asked)
    assert 6000 < first <= 7000
    assert second <= first - 1000


def test_an_answer_that_is_none_of_ours_is_told() -> None:
    with (
        Server(httpx.Response(200, text="hello")).client() as client,
        pytest.raises(Unanswered, match="cannot be read"),
    ):
        client.segment(b"photograph")
    with Server(httpx.Response(404, text="nginx")).client() as client, pytest.raises(Refused, match="404"):
        client.segment(b"photograph")


def test_both_forms_of_retry_after_are_read() -> None:
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)

    assert read_retry_after("7") == 7
    assert 55 < (read_retry_after(in_a_minute) or 0) <= 60
    assert read_retry_after("soon") is None
    assert read_retry_after(None) is None
