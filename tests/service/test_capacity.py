"""capacity.json: beside a bundle, no part of it, shown by the service."""

import shutil
from pathlib import Path

import pytest

from model.bundle import Bundle, BundleError, read_bundle
from service.capacity import FILE, BucketCapacity, Capacity, Engine, Machine, read_capacity, write_capacity
from tests.service.conftest import Serve


@pytest.fixture
def own(toy: Bundle, tmp_path: Path) -> Bundle:
    """A bundle that a test may write into."""
    shutil.copytree(toy.path, tmp_path / "own")
    return read_bundle(tmp_path / "own")


def capacity_of(digest: str) -> Capacity:
    return Capacity(
        digest=digest,
        measured="2026-01-02T03:04:05Z",
        machine=Machine(processor="abacus", cores=2, memory_gb=4, load=0.1),
        backend=Engine(name="toy", device="cpu", precision="fp32"),
        buckets=(BucketCapacity(bucket=(96, 128), images_per_s=50, pixels_per_s=614400, p99_ms=30),),
    )


def test_a_bundle_with_its_capacity_is_the_same_bundle(own: Bundle) -> None:
    write_capacity(own, capacity_of(own.digest))

    assert read_bundle(own.path) == own


def test_a_capacity_is_read_as_it_was_written(own: Bundle) -> None:
    write_capacity(own, capacity_of(own.digest))

    assert read_capacity(own) == capacity_of(own.digest)


def test_the_capacity_of_another_bundle_is_not_believed(own: Bundle) -> None:
    write_capacity(own, capacity_of("0" * 64))

    assert read_capacity(own) is None


def test_a_broken_capacity_is_left_out_of_account_with_a_warning(
    own: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    (own.path / FILE).write_text('{"digest": 7}')

    assert read_capacity(own) is None
    assert FILE in caplog.text


def test_a_file_that_the_manifest_lists_is_not_overwritten(own: Bundle) -> None:
    files = {**own.manifest.files, FILE: own.manifest.files["model.onnx"]}
    listing = own.model_copy(update={"manifest": own.manifest.model_copy(update={"files": files})})

    with pytest.raises(BundleError, match=FILE):
        write_capacity(listing, capacity_of(own.digest))


def test_the_service_shows_the_capacity_once_it_is_measured(own: Bundle, serve: Serve) -> None:
    client = serve(bundle=own.path)
    before = client.get("/v1/model").json()["capacity"]

    write_capacity(own, capacity_of(own.digest))
    after = client.get("/v1/model").json()["capacity"]

    assert before is None
    assert after == capacity_of(own.digest).model_dump(mode="json", exclude={"digest"})
