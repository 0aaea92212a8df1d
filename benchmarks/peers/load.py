"""The load: a fixed number of connections, each sending its next photograph when the last is answered.

The client is that of `panoptic-bench`, which costs little, since it shares the machine. Every request wants a run of
its own: all send the same photograph, and we would run it once for those who ask at the same time, as no peer does.
"""

import asyncio
import http.client
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.bench.connection import Target
from service.bench.load import OK
from service.bench.load import closed_loop as send

TIMEOUT_S = 60.0
WARM_UP_S = 0.5
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Request:
    """A photograph, ready to be sent to this machine."""

    port: int
    path: str
    body: bytes
    headers: Mapping[str, str]

    def written(self) -> bytes:
        """As HTTP has it."""
        headers = {
            "Host": f"{HOST}:{self.port}",
            "Cache-Control": "no-cache",
            "Content-Length": str(len(self.body)),
            **self.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + self.body


@dataclass(frozen=True)
class Load:
    """What came back within the seconds that count."""

    seconds: float
    latencies_ms: tuple[float, ...]  # of answers 200 that ended within them
    errors: Mapping[str, int] = field(default_factory=dict)  # by status or by what broke
    answered: int = 0  # answers 200 of the warm-up and of what ended late too


def ask(request: Request, timeout_s: float = TIMEOUT_S) -> bytes:
    """Send one photograph, and read its answer.

    Raises: OSError, http.client.HTTPException: no answer came, or none with status 200.
    """
    connection = http.client.HTTPConnection(HOST, request.port, timeout=timeout_s)
    try:
        connection.request("POST", request.path, request.body, dict(request.headers))
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise http.client.HTTPException(f"status {response.status}")
    return body


def closed_loop(request: Request, connections: int, seconds: float) -> Load:
    """Warm up for half a second, then count for `seconds`; returns when the last answer is there."""
    begin = time.perf_counter() + WARM_UP_S
    end = begin + seconds
    target = Target(HOST, request.port, request.path)
    sending = send(target, [request.written()], connections=connections, seconds=WARM_UP_S + seconds)
    samples = asyncio.run(sending)
    counted = [sample for sample in samples if begin <= sample.ended <= end]
    return Load(
        seconds,
        tuple((sample.ended - sample.due) * 1000 for sample in counted if sample.status == OK),
        dict(Counter(sample.status for sample in counted if sample.status != OK)),
        sum(sample.status == OK for sample in samples),
    )
