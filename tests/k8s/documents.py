"""Documents of an overlay, as kustomize builds them, and ways into them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
K8S = ROOT / "k8s"
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir())
ALL = [*(f"overlays/{name}" for name in OVERLAYS), "jobs"]
Document = dict[str, Any]


@cache
def text_of(folder: str) -> str:
    """What kustomize builds; the test is skipped where there is neither kubectl nor kustomize."""
    command = ["kubectl", "kustomize"] if shutil.which("kubectl") else ["kustomize", "build"]
    if shutil.which(command[0]) is None:
        pytest.skip("neither kubectl nor kustomize is installed; `make k8s-test` says where they come from")
    return subprocess.run([*command, K8S / folder], capture_output=True, text=True, check=True).stdout


def built(folder: str) -> list[Document]:
    """Fresh documents, so that a test may break them."""
    return [document for document in yaml.safe_load_all(text_of(folder)) if document]


def kinds(documents: list[Document], *names: str) -> list[Document]:
    return [document for document in documents if document["kind"] in names]


def pods(documents: list[Document]) -> list[Document]:
    """The pods' specs of whatever makes pods."""
    specs = [each["spec"]["template"]["spec"] for each in kinds(documents, "Deployment", "Job")]
    return specs + [each["spec"]["predictor"] for each in kinds(documents, "InferenceService")]


def settings(documents: list[Document], pod: Document) -> dict[str, str]:
    """The variables of a pod's one container, those of its config map too."""
    container = pod["containers"][0]
    maps = {each["metadata"]["name"]: each["data"] for each in kinds(documents, "ConfigMap")}
    named = [each["configMapRef"]["name"] for each in container.get("envFrom", [])]
    found = {name: value for each in named for name, value in maps.get(each, {"": each}).items()}
    return found | {each["name"]: each["value"] for each in container.get("env", [])}


def gibibytes(quantity: str) -> float:
    """A quantity of memory, as 4Gi or 512Mi."""
    number, unit = re.fullmatch(r"(\d+)(Gi|Mi)", quantity).groups()  # type: ignore[union-attr]
    return int(number) / {"Gi": 1, "Mi": 1024}[unit]


def queries(documents: list[Document]) -> Iterator[str]:
    """Every PromQL expression in them."""
    for each in kinds(documents, "ScaledObject"):
        yield from (trigger["metadata"]["query"] for trigger in each["spec"]["triggers"])
    for each in kinds(documents, "PrometheusRule"):
        yield from (rule["expr"] for group in each["spec"]["groups"] for rule in group["rules"])
    for each in kinds(documents, "InferenceService"):
        for metric in each["spec"]["predictor"]["autoScaling"]["metrics"]:
            yield metric["external"]["metric"]["query"]
    for each in kinds(documents, "HorizontalPodAutoscaler"):
        yield from (metric["pods"]["metric"]["name"] for metric in each["spec"]["metrics"])
