"""The image as `make image` builds it, run as the manifests run it."""

import io
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent.parent
IMAGE = "panoptic-service:cpu"
READY_S = 300
STATED = ["--env", "PANOPTIC_BACKEND=onnxruntime", "--env", "PANOPTIC_PRECISION=fp32"]  # chosen sooner
HARDENED = [
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges"),
    *("--memory=2g", "--pids-limit=256"),
]


@dataclass(frozen=True)
class Container:
    """One that is ready."""

    podman: str
    name: str
    port: int
    ready_s: float  # from the command until it was ready

    def do(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run podman."""
        return run(self.podman, *arguments)

    def python(self, code: str) -> "subprocess.CompletedProcess[str]":
        """Run Python inside."""
        return self.do("exec", self.name, "/opt/venv/bin/python", "-c", code)

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Status and content of an answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/panoptic", data=body)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))

    def state(self) -> dict[str, object]:
        """What podman knows of it."""
        return dict(json.loads(self.do("inspect", self.name).stdout)[0]["State"])


def run(podman: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    away = tempfile.gettempdir()  # podman's monitor leaves a note where it was started, should memory run out
    return subprocess.run(
        [podman, *arguments], cwd=away, capture_output=True, text=True, check=False, timeout=180
    )


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(file, "JPEG")
    return file.getvalue()


@contextmanager
def running(podman: str, *options: str, port: int | None = None) -> Iterator[Container]:
    """Run the image hardened until it is ready, and remove it at the end."""
    port, begun = port or free_port(), time.monotonic()
    settings = [
        "--env",
        f"PANOPTIC_PORT={port}",
        "--env",
        "PANOPTIC_THREADS=2",
        "--env",
        "PANOPTIC_WORKERS=2",
    ]
    network = ["--publish", f"127.0.0.1:{port}:{port}"] if podman.endswith("docker") else ["--network=host"]
    started = run(podman, "run", "--detach", *HARDENED, *network, *settings, *options, IMAGE)
    name = started.stdout.strip()
    assert started.returncode == 0, started.stderr
    try:
        took = wait_until_ready(Container(podman, name, port, 0), begun)
        yield Container(podman, name, port, took)
    finally:
        run(podman, "rm", "--force", "--volumes", name)


def wait_until_ready(container: Container, begun: float) -> float:
    """Seconds that it took."""
    while not _ready(container.port):
        assert time.monotonic() - begun < READY_S, container.do("logs", container.name).stderr
        time.sleep(0.1)
    return time.monotonic() - begun


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture(scope="session")
def podman() -> str:
    command = os.environ.get("PODMAN") or str(ROOT / "docker" / "podman.sh")
    if shutil.which(os.environ.get("PODMAN") or "podman") is None:
        pytest.skip("podman is not installed; `make image` says what it needs")
    if run(command, "image", "inspect", IMAGE).returncode:
        pytest.skip(f"there is no {IMAGE}; run `make image` first")
    return command


@pytest.fixture(scope="module")
def container(podman: str) -> Iterator[Container]:
    with running(podman) as found:
        yield found
