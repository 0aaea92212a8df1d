"""Traces: what a collector of OpenTelemetry gets of requests and batches, and that nobody needs one."""

import logging
import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from model.bundle import Bundle
from service.bench.server import running_server
from service.tracing import open_tracing
from tests.service.collector import Collector, attributes, collecting
from tests.service.conftest import Encode, photograph
from tests.service.http.conftest import URL, problem
from tests.service.http.test_keys import CAMERA, line
from tests.service.http.test_trace import fields_of
from tests.service.running import QUEUED, Start
from tests.service.test_scrape import free_port
from tests.service.toy import BUCKETS, ROAD, SKY, paint

STAGES = ["decode", "prepare", "queue", "infer", "group", "encode"]
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as collector:
        monkeypatch.setenv(ENDPOINT, collector.address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield collector


@pytest.fixture
def scene(encode: Encode) -> bytes:
    return encode(paint((SKY, ROAD), [], BUCKETS[0]))


def parent(*, sampled: bool = True) -> tuple[str, dict[str, str]]:
    """A caller's trace, and the header that tells of it."""
    trace_id = secrets.token_hex(16)
    return trace_id, {"traceparent": f"00-{trace_id}-{'ab' * 8}-{sampled:02x}"}


def test_the_command_sends_a_photograph_s_stages_into_its_caller_s_trace(
    toy: Bundle, collector: Collector
) -> None:
    trace_id, headers = parent()

    with running_server(toy.path) as server:
        answer = httpx.post(
            server.address + URL, content=photograph("china.jpg").read_bytes(), headers=headers
        )
    collector.wait(lambda: "POST " + URL in collector.of_trace(trace_id))

    spans = collector.of_trace(trace_id)
    root = spans.pop("POST " + URL)
    assert root.parent_span_id.hex() == "ab" * 8
    assert root.kind == root.SPAN_KIND_SERVER
    assert sorted(spans) == sorted(STAGES)
    assert {span.parent_span_id for span in spans.values()} == {root.span_id}
    assert answer.headers["traceresponse"] == f"00-{trace_id}-{root.span_id.hex()}-01"
    told = attributes(root)
    assert (told["http.response.status_code"], told["panoptic.outcome"]) == (200, "answered")
    assert told["panoptic.request_id"] == answer.headers["x-request-id"]


def test_the_framework_tells_of_no_request_a_second_time(
    start: Start, scene: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(told))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)  # as an agent's around the process

    assert start().client.post(URL, content=scene).status_code == 200

    assert told.get_finished_spans() == ()


def test_stages_follow_each_other_and_lie_within_their_request(
    collector: Collector, start: Start, scene: bytes
) -> None:
    trace_id, headers = parent()
    timings = start().client.post(URL, content=scene, headers=headers).json()["timings_ms"]
    collector.wait(lambda: len(collector.of_trace(trace_id)) == 7)

    spans = collector.of_trace(trace_id)
    root = spans["POST " + URL]
    times = [(spans[stage].start_time_unix_nano, spans[stage].end_time_unix_nano) for stage in STAGES]
    ms = 1_000_000  # the clocks of stages and of requests are read apart
    assert all(begun - ended > -ms for (_, ended), (begun, _) in pairwise(times))
    assert root.start_time_unix_nano - ms < times[0][0]
    assert times[-1][1] < root.end_time_unix_nano + ms
    for stage, (begun, ended) in zip(STAGES, times, strict=True):
        assert (ended - begun) / ms == pytest.approx(timings[stage], abs=0.01)


def test_a_batch_is_linked_to_the_requests_that_were_in_it(
    collector: Collector, start: Start, encode: Encode
) -> None:
    server = start()
    held = server.hold()
    scenes = [encode(paint(stripes, [], BUCKETS[0])) for stripes in ((SKY,), (ROAD,), (SKY, ROAD))]
    parents = [parent() for _ in scenes]
    with ThreadPoolExecutor(3) as pool:
        sent = []
        for count, (scene, (_, headers)) in enumerate(zip(scenes, parents, strict=True)):
            sent.append(pool.submit(server.client.post, URL, content=scene, headers=headers))
            assert held.entered.wait(30)
            server.wait_for(f"{QUEUED} {count}.0")
        held.free.set()
        assert [each.result().status_code for each in sent] == [200, 200, 200]
    collector.wait(lambda: len([span for span in collector.spans if span.name == "batch"]) == 2)
    collector.wait(lambda: all(len(collector.of_trace(trace_id)) == 7 for trace_id, _ in parents))

    alone, together = sorted(
        (span for span in collector.spans if span.name == "batch"), key=lambda span: len(span.links)
    )
    assert [link.trace_id.hex() for link in alone.links] == [parents[0][0]]
    assert {link.trace_id.hex() for link in together.links} == {parents[1][0], parents[2][0]}
    roots = {collector.of_trace(trace_id)["POST " + URL].span_id for trace_id, _ in parents[1:]}
    assert {link.span_id for link in together.links} == roots
    numbers = {
        attributes(collector.of_trace(trace_id)["infer"])["panoptic.batch"] for trace_id, _ in parents[1:]
    }
    assert numbers == {attributes(together)["panoptic.batch"]}
    assert attributes(together)["panoptic.images"] == 2


def test_a_request_that_failed_shows_how_far_it_came(
    collector: Collector, start: Start, scene: bytes
) -> None:
    server = start()
    held = server.hold()
    trace_id, headers = parent()

    late = server.client.post(URL, content=scene, headers=headers | {"X-Request-Timeout-Ms": "200"})
    held.free.set()

    problem(late, 504, "deadline-passed")
    collector.wait(lambda: "POST " + URL in collector.of_trace(trace_id))
    spans = collector.of_trace(trace_id)
    assert {"decode", "prepare"} <= set(spans)
    assert {"group", "encode"}.isdisjoint(spans)
    assert attributes(spans["POST " + URL])["panoptic.outcome"] == "deadline-passed"
    assert spans["POST " + URL].status.code == Status.STATUS_CODE_ERROR


def test_no_span_holds_a_key_a_caller_s_name_or_a_photograph(
    collector: Collector, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text(line("camera-of-ours", CAMERA))
    content = photograph("china.jpg").read_bytes()
    server = start(keys=tmp_path / "keys")
    trace_id, headers = parent()

    server.client.post(URL, content=content, headers=headers | {"X-API-Key": CAMERA}).raise_for_status()
    refused, wrong = parent()
    server.client.post(URL, content=content, headers=wrong | {"Authorization": "Bearer no-such-key"})
    collector.wait(lambda: collector.of_trace(refused) and len(collector.of_trace(trace_id)) == 7)

    sent = b"".join(collector.bodies)
    assert not any(word in sent for word in (CAMERA.encode(), b"no-such-key", b"camera-of-ours"))
    assert not any(content[at : at + 16] in sent for at in range(0, len(content), 4096))
    for span in collector.spans:
        assert all(len(str(value)) < 200 for value in attributes(span).values())


def test_whose_caller_does_not_sample_is_not_sent(collector: Collector, start: Start, scene: bytes) -> None:
    server = start()
    unsampled, quiet = parent(sampled=False)
    sampled, loud = parent()

    answer = server.client.post(URL, content=scene, headers=quiet)
    server.client.post(URL, content=scene, headers=loud)
    collector.wait(lambda: len(collector.of_trace(sampled)) == 7)

    assert collector.of_trace(unsampled) == {}
    assert "traceresponse" not in answer.headers
    assert all(link.trace_id.hex() == sampled for span in collector.spans for link in span.links)


def test_who_brings_no_trace_gets_one_and_the_log_names_it(
    collector: Collector, start: Start, scene: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = start()
    with caplog.at_level(logging.INFO, "panoptic.http"):
        answer = server.client.post(URL, content=scene, headers={"X-Request-ID": "untraced"})
        fields = fields_of(caplog, "untraced")
    trace_id = answer.headers["traceresponse"].split("-")[1]
    collector.wait(lambda: len(collector.of_trace(trace_id)) == 7)

    assert fields["trace_id"] == trace_id


def test_probes_and_scrapes_are_not_traced(collector: Collector, start: Start, scene: bytes) -> None:
    server = start()
    for path in ("/livez", "/readyz", "/metrics"):
        server.client.get(path)
    server.client.get("/version")
    collector.wait(lambda: any(span.name == "GET /version" for span in collector.spans))

    assert {span.name for span in collector.spans} == {"GET /version"}


def test_the_service_is_called_as_the_environment_says(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names() -> list[str]:
        resources = [each.resource for request in collector.requests for each in request.resource_spans]
        return [
            each.value.string_value
            for resource in resources
            for each in resource.attributes
            if each.key == "service.name"
        ]

    start().client.get("/version")
    collector.wait(lambda: names() == ["panoptic-service"])
    monkeypatch.setenv("OTEL_SERVICE_NAME", "segments")
    start().client.get("/version")
    collector.wait(lambda: names() == ["panoptic-service", "segments"])


def test_a_collector_that_is_gone_costs_nobody_an_answer(
    start: Start, scene: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")

    server = start()

    assert [server.client.post(URL, content=scene).status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {ENDPOINT: ""},
        {ENDPOINT: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"},
        {ENDPOINT: "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_a_collector_nothing_is_traced(environment: dict[str, str]) -> None:
    assert not open_tracing(environment).on


def test_a_collector_that_cannot_be_reached_by_what_is_installed_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    assert not open_tracing({ENDPOINT: "http://127.0.0.1:4318"}).on
    assert "pip install '.[otel]'" in caplog.text


def test_a_protocol_that_is_not_spoken_is_told(caplog: pytest.LogCaptureFixture) -> None:
    environment = {ENDPOINT: "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}

    assert not open_tracing(environment).on
    assert "grpc" in caplog.text


def test_a_server_without_a_collector_loads_nothing_of_the_extra() -> None:
    code = (
        "import sys; from service.app import create_app; from service.settings import Settings; "
        "create_app(Settings()); print('opentelemetry.sdk' in sys.modules, 'requests' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)

    assert ended.stdout.split() == ["False", "False"]
