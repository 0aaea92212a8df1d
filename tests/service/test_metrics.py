"""What Prometheus reads: what has not happened yet, bounded series, docs that are true, and exemplars."""

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from service.metrics import Metrics
from tests.service.conftest import Encode
from tests.service.running import Start
from tests.service.toy import BUCKETS, ROAD, SKY, paint

URL = "/v1/panoptic"
OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
DOCS = Path(__file__).parents[2] / "docs" / "api.md"
DOCUMENTED = re.compile(r"^\| `(panoptic_\w+)(?:\{([\w,]+)\})?` \|", re.M)


@pytest.mark.parametrize(
    "series",
    [
        'panoptic_late_total{stage="queue"}',
        'panoptic_cancelled_total{stage="body"}',
        'panoptic_engine_failures_total{kind="not_finite"}',
        'panoptic_cache_requests_total{result="hit"}',
        'panoptic_reloads_total{result="kept"}',
        'panoptic_batch_release_total{reason="deadline"}',
        'panoptic_rejected_total{reason="queue-full"}',
        'panoptic_queue_depth{priority="batch"}',
    ],
)
def test_what_has_not_happened_is_told_as_zero(series: str) -> None:
    assert f"{series} 0.0" in Metrics().text().decode().splitlines()


@pytest.fixture
def scene(encode: Encode) -> bytes:
    return encode(paint((SKY, ROAD), [], BUCKETS[0]))


def series(client: httpx.Client) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in families
        for sample in family.samples
        if sample.name.startswith("panoptic_")
    }


def test_every_label_is_told_in_the_docs(client: httpx.Client, scene: bytes) -> None:
    client.post(URL, content=scene)
    documented = {
        name: set(labels.split(",")) - {""} for name, labels in DOCUMENTED.findall(DOCS.read_text("utf-8"))
    }

    for family in text_string_to_metric_families(client.get("/metrics").text):
        if family.name.startswith("panoptic_") and not family.name.endswith("_created"):
            name = family.name + ("_total" if family.type == "counter" else "")
            assert name in documented
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            assert labels == (documented[name] if family.samples else labels), name


def storm(client: httpx.Client, scene: bytes, round_: int) -> None:
    """What callers may make up, each time anew."""
    for path in (
        f"/{round_}",
        f"/v1/panoptic/{round_:064x}",
        f"/problems/{round_}",
        f"/v2/models/m{round_}/ready",
    ):
        client.get(path)
    client.request(f"MADEUP{round_}", URL)
    client.post(f"/predictions/m{round_}", content=scene)
    client.post(f"{URL}?format=f{round_}", content=scene)
    client.post(f"{URL}?o{round_}=1", content=scene)
    headers = {
        "X-Request-ID": f"r{round_}",
        "X-API-Key": f"k{round_}",
        "X-Priority": f"p{round_}",
        "Accept": f"image/a{round_}",
        "Content-Type": f"text/t{round_}",
        "traceparent": f"00-{round_ + 1:032x}-{'a' * 16}-01",
    }
    for name, value in headers.items():
        client.post(URL, content=scene, headers={name: value})


def test_what_callers_make_up_makes_no_series(client: httpx.Client, scene: bytes) -> None:
    storm(client, scene, 0)
    before = series(client)
    for round_ in range(1, 20):
        storm(client, scene, round_)

    assert series(client) == before


def test_a_slow_bucket_leads_to_its_trace(start: Start, scene: bytes) -> None:
    client = start().client
    client.post(URL, content=scene, headers={"traceparent": f"00-{TRACE}-{'a' * 16}-01"})

    answer = client.get("/metrics", headers=OPENMETRICS)

    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    found = [
        sample.exemplar.labels
        for family in parse_openmetrics(answer.text)  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.exemplar is not None
    ]
    assert found == [{"trace_id": TRACE}]


def test_a_trace_that_is_not_sampled_is_no_exemplar(start: Start, scene: bytes) -> None:
    client = start().client
    client.post(URL, content=scene, headers={"traceparent": f"00-{TRACE}-{'a' * 16}-00"})

    assert TRACE not in client.get("/metrics", headers=OPENMETRICS).text


def test_prometheus_text_has_no_exemplars(start: Start, scene: bytes) -> None:
    client = start().client
    client.post(URL, content=scene, headers={"traceparent": f"00-{TRACE}-{'a' * 16}-01"})

    answer = client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    assert TRACE not in answer.text
