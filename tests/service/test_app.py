"""The app: what it says of itself, when it is ready, and what it loads."""

import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from model.bundle import Bundle, BundleError
from service.app import create_app
from service.settings import Settings
from tests.service.conftest import Encode, Serve
from tests.service.toy import BUCKETS, CATEGORIES, SKY, paint, write_toy

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "api.md"


def test_the_model_tells_its_classes_proof_and_limits(client: httpx.Client, toy: Bundle) -> None:
    content = client.get("/v1/model").json()

    assert (content["name"], content["version"], content["digest"]) == ("toy", "1.0", toy.digest)
    assert [category["name"] for category in content["categories"]] == [each.name for each in CATEGORIES]
    assert content["categories"][0]["color"] == [128, 64, 128]
    assert content["certificate"]["equal_panoptic_pixels"] == 1.0
    assert content["backend"]["device"] == "cpu"
    assert content["limits"]["batch_sizes"] == [1, 2, 4]


def test_the_process_is_alive_and_ready(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_a_model_that_fails_its_self_test_is_never_ready(
    serve: Serve, tmp_path: Path, encode: Encode
) -> None:
    bundle = write_toy(tmp_path / "wrong", golden=np.ones(BUCKETS[0], np.int32))
    client = serve(bundle=bundle.path, wait=False)
    while 'state="failed"} 1.0' not in client.get("/metrics").text:
        time.sleep(0.01)

    answer = client.post("/v1/panoptic", content=encode(paint((SKY,), [], (8, 8))))

    assert answer.status_code == client.get("/readyz").status_code == 503
    assert answer.json()["type"] == "/problems/not-ready"
    assert int(answer.headers["retry-after"]) > 0
    assert client.get("/livez").status_code == 200


def test_a_bundle_that_is_none_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        create_app(Settings(bundle=tmp_path))


def test_the_metrics_count_requests_stages_and_batches(client: httpx.Client, encode: Encode) -> None:
    client.post("/v1/panoptic", content=encode(paint((SKY,), [], (8, 8))))

    text = client.get("/metrics").text

    assert re.search(
        r'panoptic_requests_total\{format="json",route="/v1/panoptic",status="200"\} [1-9]', text
    )
    for stage in ("decode", "prepare", "queue", "infer", "group", "encode"):
        assert f'panoptic_stage_duration_seconds_count{{stage="{stage}"}}' in text
    assert re.search(r"panoptic_batch_images_count [1-9]", text)
    assert 'panoptic_model_state{state="ready"} 1.0' in text
    assert 'bundle="toy-1.0"' in text


def test_every_metric_has_its_line_in_the_docs(client: httpx.Client) -> None:
    names = re.findall(
        r"^# TYPE (panoptic_\w+) (?!gauge$).*|^# TYPE (panoptic_\w+) gauge", client.get("/metrics").text, re.M
    )
    found = {first or second for first, second in names}

    docs = DOCS.read_text(encoding="utf-8")

    assert {name for name in found if not name.endswith("_created") and f"| `{name}" not in docs} == set()


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_nothing_from_elsewhere(path: str, client: httpx.Client) -> None:
    page = client.get(path)

    assert page.headers["content-type"].startswith("text/html")
    assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//[^"'\s>]+""", page.text) == []
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        assert client.get(asset).status_code == 200


def test_the_service_imports_no_torch() -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import service.app"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "service.app" in ended.stderr
    assert not re.search(r"\|\s*(torch|torchvision|onnx|export)(\.|$)", ended.stderr, re.M)
