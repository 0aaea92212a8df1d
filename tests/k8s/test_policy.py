"""The manifests keep what tests/k8s/policy.py asks, and each check finds its subject broken."""

import ast
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from tests.k8s import policy
from tests.k8s.documents import ALL, Document, built, kinds
from tests.k8s.policy import mistakes

GONE = object()
POD = "Deployment.spec.template.spec"
CONTAINER = f"{POD}.containers.0"
KSERVE = "InferenceService.spec.predictor"

# (overlay, path, wrong value, word of the mistake)
BROKEN: list[tuple[str, str, Any, str]] = [
    ("cpu", f"{POD}.securityContext.runAsUser", 0, "image's user"),
    ("cpu", f"{POD}.securityContext.seccompProfile", GONE, "seccomp"),
    ("cpu", f"{CONTAINER}.securityContext.allowPrivilegeEscalation", True, "gain privileges"),
    ("cpu", f"{CONTAINER}.securityContext.capabilities", {"add": ["NET_ADMIN"]}, "capabilities"),
    ("cpu", f"{CONTAINER}.securityContext.readOnlyRootFilesystem", False, "write its root"),
    ("cpu", f"{POD}.hostNetwork", True, "shares the host"),
    ("cpu", f"{POD}.automountServiceAccountToken", True, "a token"),
    ("cpu", f"{POD}.enableServiceLinks", GONE, "variables of services"),
    ("cpu", f"{POD}.volumes.0", {"name": "cache", "hostPath": {"path": "/"}}, "profile forbids"),
    ("cpu", f"{CONTAINER}.volumeMounts.0.mountPath", "/cache", "cannot write the cache"),
    ("cpu", f"{CONTAINER}.resources.requests.memory", "1Gi", "as it is limited"),
    ("cpu", f"{CONTAINER}.resources.limits.cpu", "4", "or limited"),
    ("gpu-hpa", f"{CONTAINER}.resources.requests.nvidia\\.com/gpu", "1", "belongs to the limits"),
    ("cpu", f"{CONTAINER}.env", [{"name": "PANOPTIC_THREDS", "value": "4"}], "no such setting"),
    ("cpu", f"{CONTAINER}.envFrom.0.configMapRef.name", "elsewhere", "no such setting"),
    ("cpu", "ConfigMap.data.PANOPTIC_DRAIN_S", "0", "out of bounds"),
    ("cpu", "ConfigMap.data.PANOPTIC_THREADS", "16", "as many threads"),
    ("cpu", f"{CONTAINER}.readinessProbe.httpGet.path", "/ready", "readinessProbe asks for a path"),
    ("cpu", f"{CONTAINER}.livenessProbe.httpGet.port", "web", "livenessProbe asks a port"),
    ("cpu", f"{CONTAINER}.livenessProbe.httpGet.path", "/readyz", "would be killed"),
    ("gpu-hpa", f"{CONTAINER}.startupProbe.failureThreshold", 60, "longer to build"),
    ("cpu", f"{POD}.terminationGracePeriodSeconds", 30, "killed before"),
    ("cpu", "ConfigMap.data.PANOPTIC_DRAIN_S", "60", "killed before"),
    ("cpu", f"{CONTAINER}.lifecycle", GONE, "before traffic has left"),
    ("gpu-keda-zero", "HTTPRoute.spec.rules.0.timeouts.request", "10s", "gives up before"),
    ("cpu", "ConfigMap.data.PANOPTIC_MAX_BODY_MB", "100", "the settings allow"),
    (
        "cpu",
        "Deployment.spec.template.metadata.labels.app\\.kubernetes\\.io/name",
        "other",
        "Deployment selects",
    ),
    ("cpu", "Service.spec.selector.app\\.kubernetes\\.io/name", "other", "Service selects"),
    ("cpu", "PodDisruptionBudget.spec.selector.matchLabels", {"app": "other"}, "PodDisruptionBudget selects"),
    ("cpu", "NetworkPolicy.spec.podSelector.matchLabels", {"app": "other"}, "NetworkPolicy selects"),
    ("gpu-hpa", "ServiceMonitor.spec.selector.matchLabels", {"app": "other"}, "ServiceMonitor selects"),
    ("cpu", f"{POD}.topologySpreadConstraints", [], "not spread"),
    ("cpu", f"{POD}.topologySpreadConstraints.0.labelSelector.matchLabels", {"app": "other"}, "spread by"),
    ("cpu", "Service.spec.ports.0.targetPort", "web", "Service leads"),
    ("cpu", "PodDisruptionBudget", GONE, "no disruption budget"),
    ("gpu-hpa", "Deployment.spec.replicas", 3, "replicas are stated"),
    ("cpu", "Deployment.spec.replicas", GONE, "replicas are stated"),
    ("gpu-keda", "Deployment.spec.progressDeadlineSeconds", 600, "given up"),
    ("cpu", "Deployment.spec.strategy.rollingUpdate.maxSurge", 0, "none may go"),
    ("gpu-hpa", "HorizontalPodAutoscaler.spec.scaleTargetRef.name", "other", "what is not there"),
    ("gpu-keda", "ScaledObject.spec.triggers.0.metadata.ignoreNullValues", GONE, "count as silence"),
    ("gpu-keda", "ScaledObject.spec.fallback", GONE, "nothing is said"),
    ("gpu-hpa", "HorizontalPodAutoscaler.spec.behavior.scaleDown", GONE, "scaleDown is left"),
    ("gpu-keda", "ScaledObject.spec.advanced", GONE, "scaleUp is left"),
    ("gpu-hpa", "HorizontalPodAutoscaler.spec.metrics.0.pods.metric.name", "panoptic_load", "no such metric"),
    ("gpu-keda", "ScaledObject.spec.triggers.0.metadata.query", "sum(panoptic_load)", "no such metric"),
    (
        "kserve",
        f"{KSERVE}.autoScaling.metrics.0.external.metric.query",
        "panoptic_x",
        "no such metric",
    ),
    ("gpu-hpa", "PrometheusRule.spec.groups.1.rules.0.expr", "panoptic:gone > 1", "no such record"),
    ("gpu-hpa", "ServiceMonitor.spec.endpoints.0.path", "/stats", "Prometheus asks"),
    (
        "cpu",
        "Namespace.metadata.labels.pod-security\\.kubernetes\\.io/enforce",
        "baseline",
        "does not enforce",
    ),
    ("cpu", "Service.metadata.namespace", GONE, "has no namespace"),
    ("jobs", "Job.spec.template.spec.containers.0.securityContext", {}, "gain privileges"),
]


def broken(documents: list[Document], path: str, value: Any) -> list[Document]:
    """Documents with one value changed or taken away; `\\.` is a point inside a name."""
    kind, *steps = [each.replace("\0", ".") for each in path.replace("\\.", "\0").split(".")]
    if not steps:
        return [each for each in documents if each["kind"] != kind]
    keys = [int(step) if step.isdigit() else step for step in steps]
    start: Any = kinds(documents, kind)[0]
    holder = reduce(lambda found, key: found[key], keys[:-1], start)
    if value is GONE:
        del holder[keys[-1]]
    else:
        holder[keys[-1]] = value
    return documents


@pytest.mark.parametrize("folder", ALL)
def test_the_manifests_keep_every_rule(folder: str) -> None:
    assert mistakes(built(folder)) == []


@pytest.mark.parametrize(("overlay", "path", "value", "word"), BROKEN, ids=lambda each: str(each)[:60])
def test_a_broken_manifest_is_found(overlay: str, path: str, value: Any, word: str) -> None:
    folder = overlay if overlay == "jobs" else f"overlays/{overlay}"

    found = mistakes(broken(built(folder), path, value))

    assert any(word in mistake for mistake in found), found


def words_of(checks: Path) -> list[str]:
    """What each check of the policy may say: its fixed words, the longest of them where names stand between."""
    found = []
    for node in ast.walk(ast.parse(checks.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "wanted":
            found += [str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)]  # type: ignore[attr-defined]
        if not isinstance(node, ast.Yield | ast.YieldFrom):
            continue
        said = node.value.elt if isinstance(node.value, ast.GeneratorExp) else node.value
        parts = said.values if isinstance(said, ast.JoinedStr) else [said]
        texts = [str(each.value) for each in parts if isinstance(each, ast.Constant)]
        found += [max(texts, key=len)] if texts else []
    return found


def test_every_check_of_the_policy_is_shown_to_find_something() -> None:
    said = [
        mistake
        for overlay, path, value, _ in BROKEN
        for mistake in mistakes(
            broken(built(overlay if overlay == "jobs" else f"overlays/{overlay}"), path, value)
        )
    ]
    words = words_of(Path(policy.__file__))

    assert len(words) > 30
    assert [word for word in words if not any(word in each for each in said)] == []
