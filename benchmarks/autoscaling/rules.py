"""What an autoscaler is told: read from the very manifests that are applied."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).parent.parent.parent / "k8s"
HPA = K8S / "components" / "hpa" / "horizontalpodautoscaler.yaml"
KEDA = K8S / "components" / "keda" / "scaledobject.yaml"
SETTINGS = K8S / "base" / "settings.env"


@dataclass(frozen=True)
class Policy:
    """How much may change in a while."""

    percent: bool  # of the pods at the while's beginning; else so many pods
    value: int
    period_s: int


@dataclass(frozen=True)
class Direction:
    """What holds for scaling up, or down."""

    window_s: int  # of stabilization
    policies: tuple[Policy, ...]
    select: str  # Max, Min or Disabled
    tolerance: float = 0.1  # of Kubernetes, where none is stated


@dataclass(frozen=True)
class Rules:
    """An autoscaler's values."""

    least: int
    most: int
    target: float  # of the signal, a pod
    up: Direction
    down: Direction
    summed: bool  # the signal is a sum over all pods, as KEDA asks for it, and not a value of each pod


def read_hpa(path: Path = HPA) -> Rules:
    """Of a HorizontalPodAutoscaler whose one metric is of pods."""
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
    target = quantity(spec["metrics"][0]["pods"]["target"]["averageValue"])
    return Rules(spec["minReplicas"], spec["maxReplicas"], target, *_both(spec["behavior"]), summed=False)


def read_keda(path: Path = KEDA) -> Rules:
    """Of a ScaledObject whose one trigger is a sum."""
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
    target = float(spec["triggers"][0]["metadata"]["threshold"])
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    return Rules(spec["minReplicaCount"], spec["maxReplicaCount"], target, *_both(behavior), summed=True)


def read_max_queue(path: Path = SETTINGS) -> int:
    """How many photographs a pod holds: PANOPTIC_MAX_QUEUE of the config map."""
    lines = path.read_text(encoding="utf-8").splitlines()
    stated = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return int(stated["PANOPTIC_MAX_QUEUE"])


def quantity(text: str) -> float:
    """A number as Kubernetes writes it: 700m is 0.7."""
    return int(text.removesuffix("m")) / 1000 if text.endswith("m") else float(text)


def _both(behavior: dict[str, Any]) -> tuple[Direction, Direction]:
    return _direction(behavior["scaleUp"]), _direction(behavior["scaleDown"])


def _direction(stated: dict[str, Any]) -> Direction:
    policies = tuple(
        Policy(each["type"] == "Percent", each["value"], each["periodSeconds"]) for each in stated["policies"]
    )
    return Direction(stated["stabilizationWindowSeconds"], policies, stated["selectPolicy"])
