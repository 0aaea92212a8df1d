"""A running server: started, asked once, and ended with all of its processes."""

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from benchmarks.peers import environment, processes
from benchmarks.peers.catalogue import Peer, Sending
from benchmarks.peers.environment import Missing
from benchmarks.peers.load import Request, ask

OURS = "ours"
START_S = 180.0
BOUNDARY = "the-photograph-ends-here"
_LOWEST, _HIGHEST = 20_000, 30_000  # below what the system gives to callers


@dataclass(frozen=True)
class Server:
    """A server that has answered."""

    name: str
    title: str
    mark: str  # of its processes
    request: Request
    answer: bytes  # its first
    start_s: float  # to that answer


@dataclass(frozen=True)
class Launch:
    """How to start one."""

    name: str
    title: str
    command: tuple[str, ...]
    variables: Mapping[str, str]
    request: Request


def launch_ours(bundle: Path, photograph: bytes, backend: str) -> Launch:
    """Our service as it comes, with a bundle; what computes it may be stated."""
    port = free_port(1)
    command = (
        *(sys.executable, "-m", "service.serve", "--port", str(port)),
        *("--bundle", str(bundle), "--backend", backend),
    )
    request = Request(port, "/v1/panoptic", photograph, {"Content-Type": "image/jpeg"})
    return Launch(OURS, "this service", command, {"PYTHONPATH": str(environment.ROOT)}, request)


def engine_of(ours: Server) -> str:
    """What computes ours: runtime and precision, as it tells."""
    with urlopen(f"http://127.0.0.1:{ours.request.port}/v1/model", timeout=START_S) as answer:
        backend = json.load(answer)["backend"]
    return f"{backend['name']} in {backend['precision']}"


def launch_peer(peer: Peer, task: Path, photograph: bytes) -> Launch:
    """A peer with the usual handler.

    Raises: Missing: it is not installed.
    """
    port, programs = free_port(peer.ports), environment.programs(peer)
    fields = {"bin": str(programs), "servers": str(environment.SERVERS), "port": str(port)}
    command = tuple(part.format(**fields) for part in peer.command)
    body, headers = packed(photograph, peer.sending)
    variables = {
        "PEERS_TASK": str(task),
        "PYTHONPATH": str(environment.SERVERS),
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    return Launch(peer.name, peer.title, command, variables, Request(port, peer.path, body, headers))


@contextmanager
def running(launch: Launch, log: Path) -> Iterator[Server]:
    """Start a server, wait for its first answer, and end it at the end.

    Raises: Missing: it ended, or did not answer in time; the last line of its log is told.
    """
    mark = f"{launch.name}-{os.getpid()}-{launch.request.port}"
    begun = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            launch.command,
            cwd=environment.SERVERS,
            env={**os.environ, **launch.variables, processes.MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        answer = _first_answer(process, launch.request, log)
        start_s = time.perf_counter() - begun
        yield Server(launch.name, launch.title, mark, launch.request, answer, start_s)
    finally:
        processes.end(mark)
        process.wait()


def packed(photograph: bytes, sending: Sending) -> tuple[bytes, dict[str, str]]:
    """The body and its headers."""
    if sending == "raw":
        return photograph, {"Content-Type": "image/jpeg"}
    if sending == "form":
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photograph.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        body = head.encode() + photograph + f"\r\n--{BOUNDARY}--\r\n".encode()
        return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    tensor = len(photograph).to_bytes(4, "little") + photograph
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "data",
                    "datatype": "BYTES",
                    "shape": [1, 1],
                    "parameters": {"binary_data_size": len(tensor)},
                }
            ],
            "outputs": [{"name": "result", "parameters": {"binary_data": True}}],
        }
    )
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(head)),
    }
    return head.encode() + tensor, headers


def free_port(count: int) -> int:
    """The first of some ports in a row that nobody listens on."""
    while True:
        first = random.randrange(_LOWEST, _HIGHEST - count)  # noqa: S311
        if all(_is_free(first + index) for index in range(count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _first_answer(process: "subprocess.Popen[bytes]", request: Request, log: Path) -> bytes:
    limit, last = time.monotonic() + START_S, "no answer"
    while time.monotonic() < limit:
        if process.poll() is not None:
            raise Missing(f"it ended at its start (exit code {process.returncode}): {_last_line(log)}")
        try:
            return ask(request)
        except (OSError, http.client.HTTPException) as error:
            last = str(error)
            time.sleep(0.2)
    raise Missing(f"it did not answer within {START_S:.0f} s ({last}): {_last_line(log)}")


def _last_line(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace").replace(f"{environment.ROOT}/", "")
    lines = [line.strip() for line in text.splitlines()]
    return next((line.rstrip(".") for line in reversed(lines) if line), "its log is empty")
