"""Tracing: spans of requests and batches, made of times that are measured anyway, for a collector of OpenTelemetry.

It is off until the environment names a collector (OTEL_EXPORTER_OTLP_ENDPOINT), and then the extra `otel` does it; the
other OTEL_* variables mean what OpenTelemetry says. Where it is off nothing of the extra is loaded, and every span is
one that does nothing.
"""

import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    NoOpTracerProvider,
    Span,
    SpanContext,
    SpanKind,
    TracerProvider,
    set_span_in_context,
)

NO_SPAN = INVALID_SPAN
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"

_NAME = "panoptic-service"
_LAST_S = 3  # of the server's end, for the last spans

Attributes = Mapping[str, str | int | float]

log = logging.getLogger("panoptic")


class Tracing:
    """Owns what sends spans. Its methods may be called from any thread."""

    def __init__(self, provider: TracerProvider | None = None):
        """Trace by a provider; without one there are no spans."""
        self.on = provider is not None
        self._provider = provider or NoOpTracerProvider()
        self._tracer = self._provider.get_tracer(_NAME)

    def begin(self, name: str, parent: SpanContext, begun: float) -> Span:
        """A request's span, to be ended by whoever asked for it.

        Args:
            parent: the caller's span; an invalid one begins a trace.
            begun: `time.perf_counter` at the request's headers.
        """
        if not self.on:
            return NO_SPAN
        context = set_span_in_context(NonRecordingSpan(parent), Context())
        return self._tracer.start_span(name, context, SpanKind.SERVER, start_time=_wall(begun))

    def stages(
        self,
        parent: Span,
        begun: float,
        timings_ms: Mapping[str, float],
        attributes: Attributes | None = None,
    ) -> None:
        """Tell of a photograph's stages that followed each other without a pause.

        Args:
            parent: its request's span, which may have ended.
            begun: `time.perf_counter` when the first of them began.
        """
        if not (self.on and parent.get_span_context().trace_flags.sampled):
            return
        context = set_span_in_context(parent)
        now = _wall(begun)
        for stage, milliseconds in timings_ms.items():
            span = self._tracer.start_span(stage, context, attributes=attributes, start_time=now)
            now += round(milliseconds * 1e6)
            span.end(now)

    def batch(self, origins: Iterable[object], seconds: float, attributes: Attributes) -> None:
        """Tell of a batch that has just ended, linked to those requests in it that are traced.

        It is a trace of its own, since it belongs to all of them.

        Args:
            origins: the contexts of the requests' spans.
        """
        traced = (each for each in origins if isinstance(each, SpanContext) and each.trace_flags.sampled)
        links = [Link(each) for each in {each.span_id: each for each in traced}.values()]
        if not (self.on and links):
            return
        ended = time.time_ns()
        begun = ended - round(seconds * 1e9)
        span = self._tracer.start_span(
            "batch", Context(), attributes=attributes, links=links, start_time=begun
        )
        span.end(ended)

    def close(self) -> None:
        """Send what is left; a collector that is slow or gone holds nobody up for long."""
        shutdown = getattr(self._provider, "shutdown", None)
        if shutdown is not None:
            last = threading.Thread(target=shutdown, name="last spans", daemon=True)
            last.start()
            last.join(_LAST_S)


def open_tracing(environment: Mapping[str, str] = os.environ) -> Tracing:
    """Trace as the environment says; what it asks for and cannot be had is told in the log, and ends nothing."""
    if not any(environment.get(name) for name in ENDPOINTS) or _is_off(environment):
        return Tracing()
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), PROTOCOL)
    if protocol != PROTOCOL:
        log.warning(
            "no traces are sent: OpenTelemetry's protocol is %s, and %s is known here", protocol, PROTOCOL
        )
        return Tracing()
    try:
        return Tracing(_provider())
    except ImportError as error:
        log.warning(
            "no traces are sent: a collector is named, and %s is not installed (pip install '.[otel]')",
            error.name,
        )
        return Tracing()


def _is_off(environment: Mapping[str, str]) -> bool:
    return (
        environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        or environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    )


def _provider() -> TracerProvider:
    """The SDK's, which reads the rest of the environment itself.

    Raises: ImportError: the extra is not installed.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.version": _version()})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):  # the environment names none
        resource = resource.merge(Resource({"service.name": _NAME}))
    provider = SdkTracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _wall(moment: float) -> int:
    """Nanoseconds of the clock that spans have, at a moment of `time.perf_counter`."""
    return time.time_ns() - round((time.perf_counter() - moment) * 1e9)


def _version() -> str:
    try:
        return version(_NAME)
    except PackageNotFoundError:
        return "0"
