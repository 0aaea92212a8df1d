"""What must hold of the manifests: each check yields what is wrong, in words."""

import re
from collections.abc import Iterator
from itertools import chain

from pydantic import ValidationError

from service.settings import PREFIX, Settings
from tests.docker.test_dockerfile import FILE as DOCKERFILE
from tests.k8s.documents import Document, gibibytes, kinds, pods, queries, settings
from tests.k8s.names import metrics, metrics_in, paths, records_in

CACHE = "/var/cache/panoptic"
VOLUMES = {
    "configMap",
    "emptyDir",
    "persistentVolumeClaim",
    "projected",
    "secret",
}  # of the restricted profile
CLOSE_S = 10  # to close the engine, once all is answered
PROCESS_GB = 1.2  # a server while it chooses its engine, without photographs
BYTES_A_PIXEL = 16  # of a photograph in work: decoded, merged, encoded
BUILD_S = 900  # of an engine on a GPU, the longest


def mistakes(documents: list[Document]) -> list[str]:
    """All that is wrong."""
    each_pod = chain.from_iterable(_of_pod(documents, pod) for pod in pods(documents))
    return [
        *each_pod,
        *_selectors(documents),
        *_scaling(documents),
        *_metrics(documents),
        *_namespaces(documents),
    ]


def _of_pod(documents: list[Document], pod: Document) -> Iterator[str]:
    yield from _restricted(pod)
    yield from _resources(pod)
    if not pod["containers"][0]["image"].endswith(":export"):  # which serves nothing
        yield from _settings(documents, pod)
    if "readinessProbe" in pod["containers"][0] or "startupProbe" in pod["containers"][0]:
        yield from _probes(pod)
        yield from _stopping(documents, pod)
        yield from _memory(settings(documents, pod), pod)


def _restricted(pod: Document) -> Iterator[str]:
    """The restricted profile of Kubernetes, and a read-only root."""
    own, container = pod.get("securityContext", {}), pod["containers"][0]
    inner = container.get("securityContext", {})
    user = re.findall(r"^USER (\d+):", DOCKERFILE.read_text(encoding="utf-8"), re.M)[-1]
    wanted = {
        "does not run as the image's user": str(own.get("runAsUser")) == user
        and own.get("runAsNonRoot") is True,
        "has no seccomp profile": own.get("seccompProfile") == {"type": "RuntimeDefault"},
        "may gain privileges": inner.get("allowPrivilegeEscalation") is False,
        "keeps capabilities": inner.get("capabilities") == {"drop": ["ALL"]},
        "may write its root": inner.get("readOnlyRootFilesystem") is True,
        "shares the host": not any(pod.get(f"host{kind}") for kind in ("Network", "PID", "IPC")),
        "gets a token": pod.get("automountServiceAccountToken") is False,
        "gets the variables of services": pod.get("enableServiceLinks") is False,
        "has a volume that the profile forbids": all(
            set(each) - {"name"} <= VOLUMES for each in pod.get("volumes", [])
        ),
        "cannot write the cache": CACHE in [each["mountPath"] for each in container.get("volumeMounts", [])],
    }
    yield from (word for word, holds in wanted.items() if not holds)


def _resources(pod: Document) -> Iterator[str]:
    requests, limits = (pod["containers"][0]["resources"].get(each, {}) for each in ("requests", "limits"))
    if not requests.get("memory") or requests["memory"] != limits.get("memory"):
        yield "memory is not requested as it is limited"
    if "cpu" not in requests or "cpu" in limits:
        yield "CPU is not requested, or limited"
    if any(name.startswith("nvidia.com/") for name in requests):
        yield "a GPU is requested; it belongs to the limits"


def _settings(documents: list[Document], pod: Document) -> Iterator[str]:
    found = settings(documents, pod)
    values = {name.removeprefix(PREFIX).lower(): value for name, value in found.items()}
    if unknown := set(values) - set(Settings.model_fields):
        yield f"no such setting: {', '.join(sorted(unknown))}"
        return
    try:
        Settings.model_validate(values)
    except ValidationError as error:
        yield f"a setting is out of bounds: {error.errors()[0]['loc']}"
    if values.get("threads") != pod["containers"][0]["resources"]["requests"].get("cpu"):
        yield "the engine has not as many threads as the pod has processors"


def _probes(pod: Document) -> Iterator[str]:
    container = pod["containers"][0]
    ports = {port.get("name"): port["containerPort"] for port in container["ports"]}
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        get = container.get(name, {}).get("httpGet", {})
        if get.get("path") not in paths():
            yield f"{name} asks for a path that the service has not"
        if get.get("port") not in {*ports, *ports.values()}:
            yield f"{name} asks a port that the container has not"
    budget = _seconds(container.get("startupProbe", {}))
    if budget < (BUILD_S if "nvidia" in str(container["resources"]) else 60):
        yield f"it has {budget} s to start, an engine may take longer to build"
    if container.get("livenessProbe", {}).get("httpGet", {}).get("path") == "/readyz":
        yield "a busy server would be killed"


def _stopping(documents: list[Document], pod: Document) -> Iterator[str]:
    """preStop, lame duck, drain and closing fit into the grace; traffic has left before the signal."""
    container = pod["containers"][0]
    values = {name.removeprefix(PREFIX).lower(): value for name, value in settings(documents, pod).items()}
    try:
        stated = Settings.model_validate({name: values[name] for name in ("drain_s",) if name in values})
    except ValidationError:
        return  # told already
    before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    needed = before + float(getattr(stated, "lame_duck_s", 5)) + stated.drain_s + CLOSE_S
    if pod.get("terminationGracePeriodSeconds", 30) < needed:
        yield f"it is killed before it has answered all: that may take {needed:g} s"
    if before < _seconds(container.get("readinessProbe", {"periodSeconds": 60})):
        yield "the signal comes before traffic has left"
    for route in kinds(documents, "HTTPRoute"):
        limits = [rule.get("timeouts", {}).get("request", "0s") for rule in route["spec"]["rules"]]
        if min(int(limit.rstrip("s")) for limit in limits) < float(values.get("timeout_s", "60")):
            yield "the gateway gives up before the service does"


def _memory(values: dict[str, str], pod: Document) -> Iterator[str]:
    def of(name: str) -> float:
        return float(values.get(PREFIX + name.upper(), Settings.model_fields[name].default))

    bodies = of("max_queue") * of("max_body_mb") / 1e3
    work = of("workers") * of("max_megapixels") * BYTES_A_PIXEL / 1e3
    limit = gibibytes(pod["containers"][0]["resources"].get("limits", {}).get("memory", "0Gi")) * 2**30 / 1e9
    if PROCESS_GB + bodies + work > limit:
        yield f"the settings allow {PROCESS_GB + bodies + work:.1f} GB, the limit is {limit:.1f}"


def _selectors(documents: list[Document]) -> Iterator[str]:
    for deployment in kinds(documents, "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"].items()
        selectors = {
            "Deployment": deployment["spec"]["selector"]["matchLabels"],
            **{each["kind"]: _selector(each) for each in documents if _selector(each)},
        }
        spread = deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
        if {each["topologyKey"].split("/")[-1] for each in spread} != {"zone", "hostname"}:
            yield "the pods are not spread over zones and nodes"
        selectors |= {
            f"spread by {each['topologyKey']}": each["labelSelector"]["matchLabels"] for each in spread
        }
        yield from (
            f"{kind} selects no pod" for kind, each in selectors.items() if not each.items() <= labels
        )
        ports = {port["name"] for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]}
        for service in kinds(documents, "Service"):
            if not {port["targetPort"] for port in service["spec"]["ports"]} <= ports:
                yield "the Service leads to a port that the container has not"


def _selector(document: Document) -> dict[str, str]:
    kind, spec = document["kind"], document.get("spec", {})
    if kind == "Service":
        return dict(spec["selector"])
    name = {"PodDisruptionBudget": "selector", "NetworkPolicy": "podSelector", "ServiceMonitor": "selector"}
    return dict(spec[name[kind]]["matchLabels"]) if kind in name else {}


def _scaling(documents: list[Document]) -> Iterator[str]:
    scalers = kinds(documents, "HorizontalPodAutoscaler", "ScaledObject")
    deployments = {each["metadata"]["name"]: each for each in kinds(documents, "Deployment")}
    if deployments and not kinds(documents, "PodDisruptionBudget"):
        yield "no disruption budget"
    for deployment in deployments.values():
        spec = deployment["spec"]
        if ("replicas" in spec) == bool(scalers):
            yield "replicas are stated where an autoscaler rules, or by nobody"
        budget = _seconds(spec["template"]["spec"]["containers"][0].get("startupProbe", {}))
        if spec.get("progressDeadlineSeconds", 0) <= budget:
            yield "a rollout is given up before a pod has had its time to start"
        surge = spec["strategy"]["rollingUpdate"]
        if not surge["maxSurge"] and not surge["maxUnavailable"]:
            yield "no pod may come and none may go"
    for scaler in scalers:
        if scaler["spec"]["scaleTargetRef"]["name"] not in deployments:
            yield "the autoscaler scales what is not there"
        yield from _behavior(scaler)


def _behavior(scaler: Document) -> Iterator[str]:
    spec = scaler["spec"]
    if scaler["kind"] == "ScaledObject":
        behavior = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", {}).get("behavior", {})
        if any(each["metadata"].get("ignoreNullValues") != "false" for each in spec["triggers"]):
            yield "an outage of Prometheus would count as silence"
        if "fallback" not in spec:
            yield "nothing is said for an outage of Prometheus"
    else:
        behavior = spec.get("behavior", {})
    for direction in ("scaleUp", "scaleDown"):
        if not {"stabilizationWindowSeconds", "policies", "selectPolicy"} <= set(behavior.get(direction, {})):
            yield f"{direction} is left to defaults"


def _metrics(documents: list[Document]) -> Iterator[str]:
    known = metrics()
    groups = [group for each in kinds(documents, "PrometheusRule") for group in each["spec"]["groups"]]
    rules = [rule for group in groups for rule in group["rules"]]
    records = {rule["record"] for rule in rules if "record" in rule}
    for query in queries(documents):
        yield from (f"no such metric: {name}" for name in sorted(metrics_in(query) - known))
        yield from (f"no such record: {name}" for name in sorted(records_in(query) - records))
    for monitor in kinds(documents, "ServiceMonitor"):
        if any(each["path"] not in paths() for each in monitor["spec"]["endpoints"]):
            yield "Prometheus asks for a path that the service has not"


def _namespaces(documents: list[Document]) -> Iterator[str]:
    for each in kinds(documents, "Namespace"):
        if each["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield "the namespace does not enforce the restricted profile"
    yield from (
        f"{each['kind']} has no namespace"
        for each in documents
        if each["kind"] != "Namespace" and "namespace" not in each["metadata"]
    )


def _seconds(probe: Document) -> int:
    return int(probe.get("periodSeconds", 10)) * int(probe.get("failureThreshold", 3))
