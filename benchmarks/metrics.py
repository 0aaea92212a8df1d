"""What metrics and traces cost a request: `python -m benchmarks.metrics [BUNDLE …]`.

A server runs in this process, without traces and then with them for a collector that takes all and keeps nothing. While
photographs are answered, every call into the libraries of metrics and of traces is timed by its thread's processor
clock, the clock's own time included. A request's is the process's processor time without that of the thread that asks.
A scrape is timed apart: it comes four times a minute, not with each request.
"""

import argparse
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import prometheus_client
import uvicorn
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from model.bundle import read_bundle
from service.app import create_app
from service.bench.stages import drawn_jpeg
from service.settings import EMBEDDED_BUNDLE, Settings
from service.tracing import Tracing

COUNTED: tuple[tuple[type, tuple[str, ...]], ...] = (
    (prometheus_client.Counter, ("labels", "inc")),
    (prometheus_client.Gauge, ("labels", "set", "inc", "dec")),
    (prometheus_client.Histogram, ("labels", "observe")),
)
TRACED: tuple[tuple[type, tuple[str, ...]], ...] = (
    (Tracing, ("begin", "stages", "batch")),
    (OTLPSpanExporter, ("export",)),
)
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
WARM = 20  # requests before it counts


@dataclass
class Clock:
    """Processor time that was spent in calls, those within calls not counted again."""

    seconds: float = 0.0
    calls: int = 0
    _inside: threading.local = field(default_factory=threading.local)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, timed."""

        @functools.wraps(call)
        def timed(*given: Any, **named: Any) -> Any:
            if getattr(self._inside, "yes", False):
                return call(*given, **named)
            self._inside.yes, begun = True, time.thread_time()
            try:
                return call(*given, **named)
            finally:
                self.seconds += time.thread_time() - begun
                self.calls += 1
                self._inside.yes = False

        return timed


@dataclass(frozen=True)
class Cost:
    """Of one request, in seconds of processor time."""

    request: float
    metrics: float
    calls: float  # of metrics
    traces: float
    scrape: float

    def row(self, name: str) -> str:
        """The line of the table."""
        shares = [
            f"{seconds * 1e6:.0f} µs, {seconds / self.request:.2%}" for seconds in (self.metrics, self.traces)
        ]
        return (
            f"| {name} | {self.request * 1e3:.1f} ms | {shares[0]} | {self.calls:.0f} | {shares[1]} | "
            f"{self.scrape * 1e3:.1f} ms |"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.metrics", description="What metrics cost a request."
    )
    parser.add_argument("bundles", metavar="BUNDLE", type=Path, nargs="*", default=[EMBEDDED_BUNDLE])
    parser.add_argument("--requests", type=int, default=200, help="that are counted [200]")
    options = parser.parse_args(arguments)
    print("| bundle | processor time of a request | metrics | calls | traces | a scrape |")
    print("| --- | --- | --- | --- | --- | --- |")
    for bundle in options.bundles:
        name = read_bundle(bundle).manifest.name
        print(measure(bundle, options.requests).row(name), flush=True)
        with collected():
            print(measure(bundle, options.requests).row(f"{name}, traces sent"), flush=True)


def measure(bundle: Path, requests: int) -> Cost:
    """Answer so many photographs of 640 x 427, one after the other."""
    photograph = drawn_jpeg((427, 640))
    counted, traced = Clock(), Clock()
    with serving(bundle) as port:
        connection = HTTPConnection("127.0.0.1", port)
        for _ in range(WARM):
            _ask(connection, "POST", "/v1/panoptic", photograph)
        with timed(counted, COUNTED), timed(traced, TRACED):
            own, all_ = time.thread_time(), time.process_time()
            for _ in range(requests):
                _ask(connection, "POST", "/v1/panoptic", photograph)
            spent = (time.process_time() - all_) - (time.thread_time() - own)
        own, all_ = time.thread_time(), time.process_time()
        for _ in range(WARM):
            _ask(connection, "GET", "/metrics")
        scrape = (time.process_time() - all_) - (time.thread_time() - own)
        connection.close()
    return Cost(
        spent / requests,
        counted.seconds / requests,
        counted.calls / requests,
        traced.seconds / requests,
        scrape / WARM,
    )


@contextmanager
def timed(clock: Clock, of: tuple[tuple[type, tuple[str, ...]], ...]) -> Iterator[None]:
    """Time these methods while the block runs."""
    kept = [(kind, name, getattr(kind, name)) for kind, names in of for name in names]
    for kind, name, method in kept:
        setattr(kind, name, clock.around(method))
    try:
        yield
    finally:
        for kind, name, method in kept:
            setattr(kind, name, method)


@contextmanager
def serving(bundle: Path) -> Iterator[int]:
    """The port of a server in a thread."""
    app = create_app(Settings(bundle=bundle, backend="onnxruntime", threads=1))
    server = uvicorn.Server(uvicorn.Config(app, port=0, ws="none", log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started or app.state.parts.readiness.state == "starting":
        time.sleep(0.05)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def collected() -> Iterator[None]:
    """A collector in the environment while the block runs, in a process of its own."""
    here, there = Pipe()
    child = get_context("spawn").Process(target=_collect, args=(there,), daemon=True)
    child.start()
    os.environ[ENDPOINT] = f"http://127.0.0.1:{here.recv()}"
    try:
        yield
    finally:
        del os.environ[ENDPOINT]
        child.kill()
        child.join()


class _Taker(BaseHTTPRequestHandler):
    """Takes what is posted, and forgets it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def _collect(port: Connection) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Taker)
    port.send(server.server_port)
    server.serve_forever()


def _ask(connection: HTTPConnection, method: str, path: str, content: bytes | None = None) -> None:
    headers = {"Cache-Control": "no-cache"}  # a run of its own
    connection.request(method, path, content, headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"{method} {path} was answered {answer.status}.")


if __name__ == "__main__":
    main()
