"""The capacity of a machine with a bundle: where it saturates, for photographs of each bucket's size."""

import http.client
import json
from typing import Any

from model.bundle import Bundle, Size
from service.bench.connection import Target, post
from service.bench.machine import now, this_machine
from service.bench.saturation import Knee, find_knee
from service.bench.stages import drawn_jpeg
from service.bench.trial import Trial
from service.capacity import BucketCapacity, Capacity, Engine
from service.settings import SettingsError

CONNECTIONS = 16  # of the closed loop that tells where to begin
BEGIN = 0.5  # of the closed loop's rate


def measure_capacity(
    bundle: Bundle, target: Target, *, pid: int | None, seconds: float, seed: int
) -> tuple[Capacity, dict[Size, Knee]]:
    """Find the knee for every bucket.

    Args:
        seconds: of every offered rate.
    Raises: SettingsError: the server is another bundle's, or does not answer.
    """
    machine = this_machine()
    model = read_model(target)
    if model.get("digest") != bundle.digest:
        raise SettingsError(
            f"{target.authority} serves {model.get('name')} {str(model.get('digest'))[:12]}, "
            f"{bundle.path} is {bundle.manifest.name} {bundle.digest[:12]}. Give --bundle the directory it serves."
        )
    knees = {bucket: _knee(bucket, target, pid, seconds, seed) for bucket in bundle.manifest.input.buckets}
    capacity = Capacity(
        digest=bundle.digest,
        measured=now(),
        machine=machine,
        backend=Engine(**{name: model["backend"][name] for name in Engine.model_fields}),
        buckets=tuple(_record(bucket, knee) for bucket, knee in knees.items()),
    )
    return capacity, knees


def read_model(target: Target) -> dict[str, Any]:
    """What `/v1/model` says.

    Raises: SettingsError: it says nothing.
    """
    connection = http.client.HTTPConnection(target.host, target.port, timeout=30)
    try:
        connection.request("GET", "/v1/model")
        answer = connection.getresponse()
        content = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SettingsError(
            f"{target.authority} tells no /v1/model: {error}. Is panoptic-serve there?"
        ) from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise SettingsError(
            f"{target.authority} answers {answer.status} to /v1/model; wait until it is ready."
        )
    return dict(content)


def _knee(bucket: Size, target: Target, pid: int | None, seconds: float, seed: int) -> Knee:
    photograph = drawn_jpeg(bucket)
    trial = Trial(target, [post(target, photograph)], pid, seed)
    trial.warm()
    start = trial.closed(CONNECTIONS, seconds).images_per_s * BEGIN
    return find_knee(lambda rate: trial.open(rate, seconds), start or 1.0)


def _record(bucket: Size, knee: Knee) -> BucketCapacity:
    return BucketCapacity(
        bucket=bucket,
        images_per_s=round(knee.images_per_s, 2),
        pixels_per_s=round(knee.images_per_s * bucket[0] * bucket[1]),
        p99_ms=round((knee.held.p99_ms or 0.0) if knee.held else 0.0, 1),
    )
