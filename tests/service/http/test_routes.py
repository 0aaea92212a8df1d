"""The other routes: labels, versions, probes and what TorchServe's callers ask."""

from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from model.bundle import Bundle
from tests.service.conftest import Encode, Serve
from tests.service.http.conftest import URL, problem
from tests.service.toy import BUCKETS, CATEGORIES, write_toy

PROBES = {"/livez": "alive", "/readyz": "ready", "/startupz": "started"}


def test_the_labels_are_those_of_the_bundle(client: httpx.Client, toy: Bundle) -> None:
    content = client.get("/v1/labels").json()

    assert content["model"] == {"name": "toy", "version": "1.0", "digest": toy.digest}
    assert [(each["class_index"], each["id"], each["name"]) for each in content["labels"]] == [
        (index, category.id, category.name) for index, category in enumerate(CATEGORIES)
    ]
    assert [each["name"] for each in content["labels"] if each["isvoid"]] == ["other"]


def test_the_version_names_build_and_model(client: httpx.Client, toy: Bundle) -> None:
    content = client.get("/version").json()

    assert content["version"] == client.get("/openapi.json").json()["info"]["version"]
    assert content["model"]["digest"] == toy.digest


@pytest.mark.parametrize("path", PROBES)
def test_a_probe_tells_more_where_it_is_asked_to(path: str, client: httpx.Client, toy: Bundle) -> None:
    assert client.get(path).json() == {"status": PROBES[path]}
    for query in ("?verbose", "?verbose=1"):
        checks = client.get(path + query).json()["checks"]
        assert checks["model"] == "ready"
        assert checks["bundle"] == toy.digest
        assert checks["waiting"] == 0


@pytest.mark.parametrize("path", ["/readyz", "/startupz", "/ping", "/v2/health/ready", "/v1/labels"])
def test_nothing_is_ready_without_a_model(path: str, serve: Serve, tmp_path: Path) -> None:
    bundle = write_toy(tmp_path / "wrong", golden=np.ones(BUCKETS[0], np.int32))
    client = serve(bundle=bundle.path, wait=False)

    problem(client.get(path), 503, "not-ready")


def test_a_probe_that_fails_tells_more_where_it_is_asked_to(serve: Serve, tmp_path: Path) -> None:
    bundle = write_toy(tmp_path / "wrong", golden=np.ones(BUCKETS[0], np.int32))
    client = serve(bundle=bundle.path, wait=False)

    content = problem(client.get("/readyz?verbose"), 503, "not-ready")

    assert content["checks"]["model"] in ("starting", "failed")  # type: ignore[index]


SENDS: dict[str, Callable[[httpx.Client, bytes], httpx.Response]] = {
    "curl -T": lambda client, data: client.put("/predictions/toy", content=data),
    "curl -F data=@": lambda client, data: client.post("/predictions/toy", files={"data": data}),
    "curl -F body=@": lambda client, data: client.post("/predictions/toy", files={"body": data}),
    "curl --data-binary": lambda client, data: client.post(
        "/predictions/toy", content=data, headers={"Content-Type": "application/x-www-form-urlencoded"}
    ),
}


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
def test_torchserves_callers_send_as_they_did(
    send: Callable[[httpx.Client, bytes], httpx.Response], client: httpx.Client, scene: bytes
) -> None:
    expected = client.post(URL, content=scene).json()["segments_info"]

    assert send(client, scene).json()["segments_info"] == expected


def test_torchserves_route_takes_our_options_and_forms(client: httpx.Client, scene: bytes) -> None:
    answer = client.post("/predictions/toy", content=scene, params={"format": "png"})

    assert answer.headers["content-type"] == "image/png"


def test_torchserves_ping_is_healthy(client: httpx.Client) -> None:
    assert client.get("/ping").json() == {"status": "Healthy"}


def test_another_model_is_not_found_and_the_one_here_is_named(client: httpx.Client, encode: Encode) -> None:
    answer = client.post("/predictions/resnet", content=encode(np.zeros((4, 4, 3), np.uint8)))

    assert "the model here is 'toy'" in str(problem(answer, 404, "not-found")["detail"])
