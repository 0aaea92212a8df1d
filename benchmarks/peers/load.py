"""The load: a fixed number of connections, each sending its next photograph when the last is answered.

Plain sockets of the standard library in threads: a client that costs little, since it shares the machine.
"""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

TIMEOUT_S = 60.0
WARM_UP_S = 0.5
PAUSE_S = 0.02  # after a failure, so that a server that refuses at once does not take the machine


@dataclass(frozen=True)
class Request:
    """A photograph, ready to be sent to 127.0.0.1."""

    port: int
    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Load:
    """What came back within the seconds that count."""

    seconds: float
    latencies_ms: tuple[float, ...]  # of answers 200 that ended within them
    errors: Mapping[str, int] = field(default_factory=dict)  # by status or by what broke
    answered: int = 0  # answers 200 of the warm-up and of what ended late too


def ask(request: Request, timeout_s: float = TIMEOUT_S) -> bytes:
    """Send one photograph.

    Raises: OSError, http.client.HTTPException: no answer came, or none with status 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", request.port, timeout=timeout_s)
    try:
        return _exchange(connection, request)
    finally:
        connection.close()


def closed_loop(request: Request, connections: int, seconds: float) -> Load:
    """Warm up for half a second, then count for `seconds`; returns when the last answer is there."""
    begin = time.perf_counter() + WARM_UP_S
    end = begin + seconds
    answers: list[tuple[float, float]] = []  # sent, answered
    errors: list[tuple[float, str]] = []
    threads = [
        threading.Thread(target=_send_until, args=(end, request, answers, errors)) for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(
        seconds,
        tuple((answered - sent) * 1000 for sent, answered in answers if begin <= answered <= end),
        dict(Counter(what for when, what in errors if begin <= when <= end)),
        len(answers),
    )


def _send_until(
    end: float, request: Request, answers: list[tuple[float, float]], errors: list[tuple[float, str]]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", request.port, timeout=TIMEOUT_S)
    while (sent := time.perf_counter()) < end:
        try:
            _exchange(connection, request)
            answers.append((sent, time.perf_counter()))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            errors.append((time.perf_counter(), str(error) or type(error).__name__))
            time.sleep(PAUSE_S)
    connection.close()


def _exchange(connection: http.client.HTTPConnection, request: Request) -> bytes:
    connection.request("POST", request.path, request.body, dict(request.headers))
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise http.client.HTTPException(f"status {response.status}")
    return body
