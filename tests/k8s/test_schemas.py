"""The manifests against Kubernetes' own schemas of three versions, and those of the kinds that others define."""

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from jsonschema import Draft7Validator

from tests.k8s.documents import ALL, Document, built, kinds

SCHEMAS = {
    path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas").glob("*.json")
}
VERSIONS = ["1.30", "1.34", "1.37"]  # preStop's sleep came with 1.30


def unlawful(documents: list[Document], version: str) -> list[str]:
    """What Kubernetes' schemas refuse."""
    found = []
    for each in documents:
        if each["kind"] not in SCHEMAS:
            try:
                kubernetes_validate.validate(each, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                found.append(f"{each['kind']}: {error.message}")
    return found


def unknown(documents: list[Document]) -> list[str]:
    """What the schemas of others' kinds refuse."""
    return [
        f"{each['kind']}: {error.message}"
        for each in documents
        if each["kind"] in SCHEMAS
        for error in Draft7Validator(SCHEMAS[each["kind"]]).iter_errors(each)
    ]


def test_every_kind_of_others_has_a_schema_and_is_used() -> None:
    named = {
        each["kind"] for folder in ALL for each in built(folder) if "." in each["apiVersion"].split("/")[0]
    }

    assert set(SCHEMAS) == {
        kind for kind in named if kind not in {"HorizontalPodAutoscaler", "NetworkPolicy"}
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_manifest(version: str) -> None:
    assert [word for folder in ALL for word in unlawful(built(folder), version)] == []


def test_a_misspelt_field_of_kubernetes_is_found() -> None:
    documents = built("overlays/cpu")
    container = kinds(documents, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
    container["startupProbe"]["failureTreshold"] = 3

    assert "failureTreshold" in " ".join(unlawful(documents, VERSIONS[0]))


@pytest.mark.parametrize("folder", ALL)
def test_the_kinds_of_others_are_written_as_they_define_them(folder: str) -> None:
    assert unknown(built(folder)) == []


@pytest.mark.parametrize(
    ("folder", "kind", "field", "value"),
    [
        ("gpu-keda", "ScaledObject", "minReplicasCount", 1),
        ("gpu-keda", "ScaledObject", "pollingInterval", "15s"),
        ("gpu-hpa", "ServiceMonitor", "endpoint", []),
        ("gpu-hpa", "PrometheusRule", "rules", []),
        ("gpu-keda-zero", "HTTPRoute", "hostname", "x"),
        ("kserve", "InferenceService", "predictors", {}),
    ],
)
def test_a_misspelt_field_of_others_is_found(folder: str, kind: str, field: str, value: Any) -> None:
    documents = built(f"overlays/{folder}")
    kinds(documents, kind)[0]["spec"][field] = value

    assert unknown(documents) != []
