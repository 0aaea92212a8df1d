"""Every metric moves when it should, on the real app, and by as much as it should."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.metrics import REFUSALS, Metrics
from tests.service.conftest import Encode
from tests.service.http.test_keys import CAMERA, line
from tests.service.running import QUEUED, Running, Start
from tests.service.toy import BUCKETS, ROAD, SKY, paint

URL = "/v1/panoptic"
PIXELS = BUCKETS[0][0] * BUCKETS[0][1]
LABELS = f'{{format="json",route="{URL}",status="200"}}'
RUNTIME = f"ONNX Runtime {onnxruntime.__version__}"
ENGINE = f'{{backend="{RUNTIME}",bundle="toy-1.0",device="cpu",precision="fp32",reason="stated"}}'
ABOVE = None  # it grows, by whatever
# A GPU's are moved beside its runner, in tests/service/backends.
OF_GPUS = {"panoptic_gpu_memory_bytes", "panoptic_gpu_lost_total", "panoptic_engine_build_seconds"}

Told = dict[str, float]


def told(text: str) -> Told:
    """Values by series."""
    return {
        sample.name + labels(sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labels(given: dict[str, str]) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in sorted(given.items()))
    return f"{{{inside}}}" if inside else ""


@dataclass(frozen=True)
class Scene:
    """What a scenario works with."""

    start: Start
    encode: Encode
    folder: Path
    crowd: ThreadPoolExecutor

    def picture(self, number: int = 0, rows: int = BUCKETS[0][0]) -> bytes:
        """Of two classes; no two numbers look equal."""
        picture = paint((SKY, ROAD), [], (rows, BUCKETS[0][1]))
        picture[0, 0, 0] = number
        return self.encode(picture)

    def post(self, server: Running, number: int = 0, **headers: str) -> None:
        """Begin to send a photograph."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.crowd.submit(server.client.post, URL, content=self.picture(number), headers=named)

    def key(self) -> Path:
        path = self.folder / "keys"
        path.write_text(line("camera", CAMERA, "concurrency=1"))
        return path


@pytest.fixture
def scene(start: Start, encode: Encode, tmp_path: Path) -> Iterator[Scene]:
    with ThreadPoolExecutor(12) as crowd:
        yield Scene(start, encode, tmp_path, crowd)


Scenario = Callable[[Scene], tuple[Told, Told]]
SCENARIOS: dict[str, tuple[Scenario, dict[str, float | None]]] = {}


def scenario(moves: dict[str, float | None]) -> Callable[[Scenario], Scenario]:
    """Enter a scenario, which answers what is told before and after it, with what it moves by how much."""

    def enter(run: Scenario) -> Scenario:
        SCENARIOS[run.__name__] = (run, moves)
        return run

    return enter


def look(server: Running) -> Told:
    return told(server.client.get("/metrics").text)


@scenario(
    {
        f"panoptic_requests_total{LABELS}": 1,
        'panoptic_request_duration_seconds_count{format="json"}': 1,
        'panoptic_request_duration_seconds_sum{format="json"}': ABOVE,
        **{
            f'panoptic_stage_duration_seconds_count{{stage="{stage}"}}': 1
            for stage in ("decode", "prepare", "queue", "infer", "group", "encode", "total")
        },
        "panoptic_batch_images_sum": 1,
        "panoptic_batch_pixels_sum": PIXELS,
        "panoptic_batch_padding_ratio_sum": 0.5,
        "panoptic_queue_wait_seconds_count": 1,
        'panoptic_batch_release_total{reason="idle"}': 1,
        "panoptic_image_pixels_sum": PIXELS / 2,
        "panoptic_segments_per_image_sum": 2,
        'panoptic_cache_requests_total{result="miss"}': 1,
    }
)
def a_photograph_is_answered_that_fills_half_its_bucket(scene: Scene) -> tuple[Told, Told]:
    server = scene.start()
    before = look(server)
    half = scene.picture(rows=BUCKETS[0][0] // 2)
    assert len(server.client.post(URL, content=half).json()["segments_info"]) == 2
    return before, look(server)


@scenario(
    {
        "panoptic_batch_images_sum": 4,
        "panoptic_batch_padding_images_total": 1,
        "panoptic_batch_padding_ratio_sum": 0.25,
        "panoptic_queue_wait_seconds_count": 4,
        "panoptic_queue_wait_seconds_sum": ABOVE,
    }
)
def three_leave_in_a_batch_of_four(scene: Scene) -> tuple[Told, Told]:
    server = scene.start()
    before = look(server)
    held = server.hold()
    scene.post(server)
    assert held.entered.wait(30)
    for number in (1, 2, 3):
        scene.post(server, number)
    server.wait_for(f"{QUEUED} 3.0")
    held.free.set()
    server.wait_for("panoptic_inflight_requests 0.0")
    return before, look(server)


@scenario(
    {
        'panoptic_queue_depth{priority="interactive"}': 1,
        'panoptic_queue_depth{priority="batch"}': 1,
        "panoptic_queued_pixels": 2 * PIXELS,
        "panoptic_inflight_requests": 3,
        "panoptic_inflight_body_bytes": ABOVE,
    }
)
def two_wait_for_the_engine(scene: Scene) -> tuple[Told, Told]:
    server = scene.start()
    before = look(server)
    held = server.hold()
    scene.post(server)
    assert held.entered.wait(30)
    scene.post(server, 1)
    scene.post(server, 2, X_Priority="batch")
    server.wait_for(f"{QUEUED} 1.0")
    server.wait_for('panoptic_queue_depth{priority="batch"} 1.0')
    after = look(server)
    held.free.set()
    return before, after


@scenario({"panoptic_waiting_photographs": 2})
def two_wait_to_be_decoded(scene: Scene) -> tuple[Told, Told]:
    server = scene.start(workers=1, max_batch=1)  # two places past the gate
    before = look(server)
    held = server.hold()
    for number in range(4):
        scene.post(server, number)
    server.wait_for("panoptic_waiting_photographs 2.0")
    after = look(server)
    held.free.set()
    return before, after


@scenario({f'panoptic_rejected_total{{reason="{reason}"}}': 1 for reason in REFUSALS})
def requests_are_refused_for_every_reason(scene: Scene) -> tuple[Told, Told]:
    before: Told = {}
    after: Told = {}
    for refuse in (_busy, _large_and_slow, _without_key, _not_ready):
        one, other = refuse(scene)
        for series, value in other.items():
            before[series] = before.get(series, 0) + one.get(series, 0)
            after[series] = after.get(series, 0) + value
    return before, after


def _busy(scene: Scene) -> tuple[Told, Told]:
    server = scene.start(max_queue=2)
    before = look(server)
    held = server.hold(seconds=20)
    scene.post(server)
    assert held.entered.wait(30)
    scene.post(server, 1, X_Request_Timeout_Ms="500")
    server.wait_for('panoptic_rejected_total{reason="deadline-too-near"} 1.0')
    scene.post(server, 2)
    server.wait_for(f"{QUEUED} 1.0")
    scene.post(server, 3)
    server.wait_for('panoptic_rejected_total{reason="queue-full"} 1.0')
    held.free.set()
    return before, look(server)


def _large_and_slow(scene: Scene) -> tuple[Told, Told]:
    server = scene.start(max_body_mb=0.01, body_timeout_s=0.2)
    before = look(server)
    server.client.post(URL, content=bytes(20_000))
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
        raw.sendall(f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nslow".encode())
        assert b" 408 " in raw.recv(100)
    return before, look(server)


def _without_key(scene: Scene) -> tuple[Told, Told]:
    server = scene.start(keys=scene.key())
    before = look(server)
    server.client.post(URL, content=scene.picture())
    held = server.hold()
    scene.post(server, X_API_Key=CAMERA)
    assert held.entered.wait(30)
    scene.post(server, 1, X_API_Key=CAMERA)
    server.wait_for('panoptic_rejected_total{reason="key-busy"} 1.0')
    held.free.set()
    return before, look(server)


def _not_ready(scene: Scene) -> tuple[Told, Told]:
    server = scene.start()
    before = look(server)
    server.app.state.parts.readiness.stop()
    server.client.post(URL, content=scene.picture())
    server.app.state.parts.readiness.lose("The engine hangs.")
    server.client.post(URL, content=scene.picture())
    return before, look(server)


@scenario(
    {
        'panoptic_cancelled_total{stage="body"}': 1,
        'panoptic_cancelled_total{stage="infer"}': 1,
        'panoptic_late_total{stage="queue"}': 1,
        f'panoptic_requests_total{{format="json",route="{URL}",status="499"}}': 2,
    }
)
def two_leave_and_one_is_late(scene: Scene) -> tuple[Told, Told]:
    server = scene.start()
    before = look(server)
    held = server.hold()
    content = scene.picture()
    for sent, stage in ((content[:50], "body"), (content, "infer")):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
            head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
            raw.sendall(head.encode() + sent)
            server.wait_for("panoptic_inflight_requests 1.0")
            assert stage == "body" or held.entered.wait(30)
        server.wait_for(f'panoptic_cancelled_total{{stage="{stage}"}} 1.0')
    scene.post(server, 1, X_Request_Timeout_Ms="1500")
    server.wait_for('panoptic_late_total{stage="queue"} 1.0')
    held.free.set()
    return before, look(server)


@scenario({'panoptic_engine_failures_total{kind="error"}': 1})
def the_engine_fails(scene: Scene) -> tuple[Told, Told]:
    server = scene.start()
    before = look(server)
    held = server.hold()
    held.run = lambda batch: 1 // 0  # type: ignore[assignment, method-assign, return-value]
    server.client.post(URL, content=scene.picture())
    return before, look(server)


@scenario(
    {
        'panoptic_cache_requests_total{result="joined"}': 1,
        'panoptic_cache_requests_total{result="hit"}': 1,
        'panoptic_cache_requests_total{result="miss"}': 1,
        "panoptic_batch_images_sum": 1,
        "panoptic_segments_per_image_count": 3,
    }
)
def one_photograph_is_sent_thrice(scene: Scene) -> tuple[Told, Told]:
    server = scene.start(cache_mb=10)
    before = look(server)
    held = server.hold()
    scene.post(server)
    assert held.entered.wait(30)
    scene.post(server)
    server.wait_for('panoptic_cache_requests_total{result="joined"} 1.0')
    held.free.set()
    server.wait_for("panoptic_inflight_requests 0.0")
    server.client.post(URL, content=scene.picture()).raise_for_status()
    return before, look(server)


@scenario({'panoptic_reloads_total{result="same"}': 1})
def the_bundle_is_loaded_again(scene: Scene) -> tuple[Told, Told]:
    server = scene.start()
    before = look(server)
    asyncio.run(server.app.state.loading.reload())
    return before, look(server)


@scenario(
    {
        'panoptic_model_state{state="ready"}': 1,
        'panoptic_model_state{state="starting"}': -1,
        "panoptic_backend_fallback": 1,
        "panoptic_warmup_seconds": ABOVE,
    }
)
def a_model_starts_without_the_gpu_it_was_to_have(scene: Scene) -> tuple[Told, Told]:
    before = told(Metrics().text().decode())
    server = scene.start(device="cuda:63", device_fallback=True, backend="onnxruntime")
    return before, look(server)


@scenario({f"panoptic_backend_info{ENGINE}": 1})
def an_engine_is_stated(scene: Scene) -> tuple[Told, Told]:
    return told(Metrics().text().decode()), look(scene.start(backend="onnxruntime", precision="fp32"))


@scenario(
    {
        'panoptic_backend_trial_seconds{backend="onnxruntime",precision="fp32"}': ABOVE,
        "process_cpu_seconds_total": ABOVE,  # told in ticks of 10 ms, more than a photograph may cost
    }
)
def engines_are_tried(scene: Scene) -> tuple[Told, Told]:
    return told(Metrics().text().decode()), look(scene.start(backend="auto"))


@scenario({"panoptic_saturation_ratio": ABOVE})
def a_photograph_comes_to_a_server_that_was_measured(scene: Scene) -> tuple[Told, Told]:
    server = scene.start()
    server.app.state.parts.readiness.saturation.believe(1e6)
    before = look(server)
    server.client.post(URL, content=scene.picture())
    return before, look(server)


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_happens_moves_its_metrics_by_as_much(name: str, scene: Scene) -> None:
    run, moves = SCENARIOS[name]

    before, after = run(scene)

    moved = {series: after[series] - before.get(series, 0) for series in moves}
    grown = {series: by for series, by in moved.items() if moves[series] is ABOVE}
    assert all(by > 0 for by in grown.values()), grown
    assert {series: moved[series] for series in moves if series not in grown} == pytest.approx(
        {series: by for series, by in moves.items() if by is not ABOVE}
    )


def test_every_metric_is_moved_by_one_of_them(start: Start) -> None:
    text = start().client.get("/metrics").text
    families = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in text_string_to_metric_families(text)
        if family.name.startswith("panoptic_") and not family.name.endswith("_created")
    }
    moved = {series.partition("{")[0] for _, moves in SCENARIOS.values() for series in moves}

    told_of = {name for name in families if moved & {name, f"{name}_sum", f"{name}_count"}}

    assert families - told_of - OF_GPUS == set()
