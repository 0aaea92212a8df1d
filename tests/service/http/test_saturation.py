"""The saturation that a server tells: nothing while nothing is known, then what is asked of it."""

import shutil
from pathlib import Path

import httpx
import pytest

from model.bundle import Bundle, read_bundle
from service.capacity import BucketCapacity, Capacity, Engine, Machine, write_capacity
from tests.service.conftest import Serve
from tests.service.http.conftest import URL
from tests.service.toy import BUCKETS

NAME = "panoptic_saturation_ratio"


@pytest.fixture
def measured(toy: Bundle, tmp_path: Path) -> Bundle:
    """The toy, measured to do a million pixels a second in one bucket and more in the other."""
    shutil.copytree(toy.path, tmp_path / "toy")
    bundle = read_bundle(tmp_path / "toy")
    write_capacity(
        bundle,
        Capacity(
            digest=bundle.digest,
            measured="2026-01-01T00:00:00Z",
            machine=Machine(processor="none", cores=1, memory_gb=1, load=0),
            backend=Engine(name="none", device="cpu", precision="fp32"),
            buckets=tuple(
                BucketCapacity(bucket=bucket, images_per_s=1, pixels_per_s=rate, p99_ms=1)
                for bucket, rate in zip(BUCKETS, (2e6, 1e6), strict=False)
            ),
        ),
    )
    return bundle


def told(client: httpx.Client) -> list[float]:
    lines = client.get("/metrics").text.splitlines()
    return [float(line.split()[1]) for line in lines if line.startswith(NAME)]


def test_a_server_that_was_not_measured_tells_no_saturation(serve: Serve, scene: bytes) -> None:
    client = serve()
    client.post(URL, content=scene).raise_for_status()

    assert told(client) == []


def test_what_is_asked_of_a_measured_server_is_told(serve: Serve, measured: Bundle, scene: bytes) -> None:
    client = serve(bundle=measured.path)
    before = told(client)

    client.post(URL, content=scene).raise_for_status()

    assert before == [0.0]
    assert 0 < told(client)[0] < 1
