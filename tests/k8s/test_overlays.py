"""What each overlay is for."""

import pytest
import yaml

from tests.k8s.documents import K8S, OVERLAYS, Document, built, kinds


def container(overlay: str) -> Document:
    deployment = kinds(built(f"overlays/{overlay}"), "Deployment")[0]
    return dict(deployment["spec"]["template"]["spec"]["containers"][0])


def test_the_cpu_overlay_asks_for_no_gpu() -> None:
    assert "nvidia" not in str(built("overlays/cpu"))


@pytest.mark.parametrize("overlay", [name for name in OVERLAYS if name.startswith("gpu")])
def test_a_gpu_overlay_runs_the_gpu_image_on_one_gpu(overlay: str) -> None:
    found = container(overlay)

    assert found["image"] == "panoptic-service:gpu"
    assert found["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_where_no_gpu_is_spare_a_pod_goes_before_the_next_comes() -> None:
    deployment = kinds(built("overlays/gpu-no-surge"), "Deployment")[0]

    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_at_zero_pods_something_else_than_the_service_tells_of_callers() -> None:
    scaled = kinds(built("overlays/gpu-keda-zero"), "ScaledObject")[0]["spec"]

    assert scaled["minReplicaCount"] == 0
    assert [each["name"] for each in scaled["triggers"] if "panoptic_" not in each["metadata"]["query"]] == [
        "knocking"
    ]


@pytest.mark.parametrize("component", ["gpu-mig", "gpu-mps"])
def test_a_shared_gpu_takes_the_place_of_a_whole_one(component: str) -> None:
    patch = yaml.safe_load((K8S / "components" / component / "kustomization.yaml").read_text())["patches"][0]

    steps = [(each["op"], each["path"].rsplit("/", 1)[-1]) for each in yaml.safe_load(patch["patch"])]

    assert steps[0] == ("remove", "nvidia.com~1gpu")
    assert steps[1][0] == "add"
    assert steps[1][1].startswith("nvidia.com~1")


def test_both_autoscalers_have_one_target_and_one_behavior() -> None:
    hpa = kinds(built("overlays/gpu-hpa"), "HorizontalPodAutoscaler")[0]["spec"]
    keda = kinds(built("overlays/gpu-keda"), "ScaledObject")[0]["spec"]

    assert hpa["behavior"] == keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert hpa["metrics"][0]["pods"]["target"]["averageValue"] == "800m"
    assert float(keda["triggers"][0]["metadata"]["threshold"]) == 0.8
    kserve = kinds(built("overlays/kserve"), "InferenceService")[0]["spec"]["predictor"]["autoScaling"]
    assert kserve["metrics"][0]["external"]["target"]["averageValue"] == "0.8"
    assert (hpa["minReplicas"], hpa["maxReplicas"]) == (keda["minReplicaCount"], keda["maxReplicaCount"])


def test_the_image_of_kserve_runs_with_the_same_security_as_ours() -> None:
    predictor = kinds(built("overlays/kserve"), "InferenceService")[0]["spec"]["predictor"]

    assert predictor["containers"][0]["securityContext"] == container("cpu")["securityContext"]
