"""The connection: headers have a time, a number and a size, and what is no HTTP is a problem."""

import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from service.http.connection import MAX_HEAD_BYTES, MAX_HEADERS
from service.http.problems import PROBLEM_TYPES
from tests.service.conftest import Serve
from tests.service.http.conftest import URL


def connect(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=30)


def said(raw: socket.socket) -> bytes:
    """All that a server says until it closes."""
    words = b""
    try:
        while more := raw.recv(65536):
            words += more
    except ConnectionResetError:
        pass
    return words


def read(words: bytes) -> tuple[int, dict[str, object]]:
    """Status and problem of an answer after which the connection was closed."""
    head, _, body = words.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head.lower()
    assert b"content-type: application/problem+json" in head.lower()
    content: dict[str, object] = json.loads(body)
    assert f"x-request-id: {content['instance']}".encode() in head.lower()
    return int(head.split()[1]), content


@pytest.fixture
def hasty(serve: Serve) -> httpx.Client:
    """A server that waits a moment for headers and bodies."""
    return serve(head_timeout_s=0.3, body_timeout_s=0.3)


def test_headers_that_come_byte_by_byte_are_cut(hasty: httpx.Client) -> None:
    with connect(hasty) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\n")
        for _ in range(4):
            time.sleep(0.1)
            try:
                raw.sendall(b"a")
            except OSError:
                break

        status, content = read(said(raw))

    assert (status, content["type"]) == (408, "/problems/too-slow")
    assert "PANOPTIC_HEAD_TIMEOUT_S" in str(content["detail"])


def test_a_connection_that_says_nothing_is_closed(hasty: httpx.Client) -> None:
    with connect(hasty) as raw:
        assert said(raw) == b""


def test_the_second_request_of_a_connection_has_its_time_too(hasty: httpx.Client) -> None:
    with connect(hasty) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        first = raw.recv(4096)
        raw.sendall(b"GET /livez HTTP/1.1\r\n")

        status, _ = read(said(raw))

    assert first.startswith(b"HTTP/1.1 200 ")
    assert status == 408


def test_an_answer_that_takes_longer_than_headers_may_is_given(
    serve: Serve, scene: bytes, hasty: httpx.Client
) -> None:
    with connect(hasty) as raw:
        raw.sendall(f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(scene)}\r\n\r\n".encode())
        time.sleep(0.2)
        raw.sendall(scene)

        assert raw.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_is_not_whole_in_time_is_cut(hasty: httpx.Client) -> None:
    with connect(hasty) as raw:
        raw.sendall(f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf".encode())

        status, content = read(said(raw))

    assert (status, content["type"], content["limit"]) == (408, "/problems/too-slow", 0.3)
    assert "panoptic_inflight_requests 0.0" in hasty.get("/metrics").text


def test_a_form_that_is_not_whole_in_time_is_cut(hasty: httpx.Client) -> None:
    kind = "multipart/form-data; boundary=x"
    with connect(hasty) as raw:
        raw.sendall(
            f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 9999\r\n\r\n--x\r\n".encode()
        )

        assert read(said(raw))[0] == 408


def test_a_refused_body_may_come_to_its_end_but_not_for_ever(hasty: httpx.Client) -> None:
    with connect(hasty) as raw:
        raw.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        answer = raw.recv(4096)
        begun = time.monotonic()
        while time.monotonic() - begun < 20:
            try:
                raw.sendall(b"a")
            except OSError:
                break
            time.sleep(0.05)
        else:
            pytest.fail("the connection was kept")

    assert answer.startswith(b"HTTP/1.1 404 ")


def test_a_connection_goes_on_after_a_body_that_was_refused_unread(client: httpx.Client) -> None:
    with connect(client) as raw:
        raw.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        first = raw.recv(4096)
        raw.sendall(b"a" * 100_000 + b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert first.startswith(b"HTTP/1.1 404 ")
        assert b"HTTP/1.1 200 " in said(raw)


def endless() -> Iterator[bytes]:
    yield b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: "
    for _ in range(64):
        yield b"a" * 4096


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        (
            [
                b"GET /livez HTTP/1.1\r\n",
                b"".join(b"X-%d: 1\r\n" % n for n in range(MAX_HEADERS + 1)),
                b"\r\n",
            ],
            "101",
        ),
        ([b"GET /livez HTTP/1.1\r\nX-Long: ", b"a" * MAX_HEAD_BYTES, b"\r\n\r\n"], "bytes"),
        ([b"GET /livez?", b"a" * MAX_HEAD_BYTES, b" HTTP/1.1\r\n\r\n"], "bytes"),
        (list(endless()), "more than 32768 bytes"),
    ],
    ids=["many", "large", "a long address", "without an end"],
)
def test_headers_beyond_the_limits_are_refused(pieces: list[bytes], found: str, client: httpx.Client) -> None:
    with connect(client) as raw:
        try:
            for piece in pieces:
                raw.sendall(piece)
                time.sleep(0.002)
        except OSError:
            pass  # it was closed before the end
        words = said(raw)

    if words:  # else the reset came before the answer was read
        status, content = read(words)
        assert (status, content["type"]) == (431, "/problems/headers-too-large")
        assert found in str(content["detail"])


def test_trailers_without_an_end_are_cut(client: httpx.Client) -> None:
    with connect(client) as raw, pytest.raises(OSError):
        raw.sendall(f"POST {URL} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        raw.sendall(b"4\r\nhalf\r\n0\r\nX-Long: ")
        for _ in range(500):
            raw.sendall(b"a" * 4096)
            time.sleep(0.002)


def test_as_many_headers_as_may_be_are_taken(client: httpx.Client) -> None:
    fields = b"".join(b"X-%d: 1\r\n" % number for number in range(MAX_HEADERS - 2))
    with connect(client) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + fields + b"\r\n")

        assert said(raw).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("words", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"HELO there\r\n\r\n"])
def test_what_is_no_http_is_a_problem(words: bytes, client: httpx.Client) -> None:
    with connect(client) as raw:
        raw.sendall(words)

        status, content = read(said(raw))

    assert (status, content["title"]) == (400, PROBLEM_TYPES["malformed-request"].title)
