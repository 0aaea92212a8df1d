"""The Deployment itself, run by podman, and two replicas replaced behind a balancer. `make image-test`."""

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.docker.conftest import IMAGE, STATED, Container, free_port, jpeg, run, running, wait_until_ready
from tests.k8s.documents import Document, built, kinds

pytestmark = pytest.mark.image

LEAVES_S = 2  # in which traffic leaves a pod: twice the balancer's looks


def playable(documents: list[Document], port: int) -> str:
    """The Deployment with its settings, as podman can run it without a cluster and without a network of its own."""
    deployment, settings = kinds(documents, "Deployment")[0], kinds(documents, "ConfigMap")[0]
    deployment["spec"]["replicas"] = 1
    pod = deployment["spec"]["template"]["spec"]
    pod["hostNetwork"] = True
    container = pod["containers"][0]
    for name in ("ports", "lifecycle", "startupProbe", "readinessProbe", "livenessProbe"):
        del container[name]
    container |= {"image": f"localhost/{IMAGE}", "imagePullPolicy": "Never"}
    container["env"] = [
        {"name": "PANOPTIC_PORT", "value": str(port)},
        {"name": "PANOPTIC_BACKEND", "value": "onnxruntime"},
    ]
    return str(yaml.safe_dump_all([settings, deployment]))


@pytest.fixture(scope="module")
def played(podman: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The Deployment of the overlay `cpu`, ready."""
    port, begun = free_port(), time.monotonic()
    file = tmp_path_factory.mktemp("play") / "deployment.yaml"
    file.write_text(playable(built("overlays/cpu"), port))
    started = run(podman, "kube", "play", str(file))
    try:
        assert started.returncode == 0, started.stderr
        name = started.stdout.strip().splitlines()[-1]
        found = Container(podman, name, port, 0)
        wait_until_ready(found, begun)
        yield found
    finally:
        run(podman, "kube", "down", str(file))


def test_the_deployment_answers_a_photograph(played: Container) -> None:
    status, content = played.post(jpeg(640, 427))

    assert status == 200
    assert json.loads(content)["image"]["height"] == 427


def test_the_deployment_runs_as_it_says(played: Container) -> None:
    read = "print(open('/proc/1/status').read())"
    found = dict(line.split(":\t", 1) for line in played.python(read).stdout.splitlines() if ":\t" in line)
    host = json.loads(played.do("inspect", played.name).stdout)[0]["HostConfig"]

    assert (found["Uid"].split("\t")[0], int(found["CapEff"], 16), found["NoNewPrivs"]) == ("10001", 0, "1")
    assert (host["ReadonlyRootfs"], host["Memory"]) == (True, 4 * 2**30)


class Balancer:
    """haproxy on loopback, with a server's place for each replica."""

    def __init__(self, folder: Path, ports: list[int]):
        self.port, self._admin = free_port(), folder / "admin"
        servers = [f"  server s{port} 127.0.0.1:{port} check inter 500ms fall 2 rise 1" for port in ports]
        rules = [
            "global",
            f"  stats socket {self._admin} mode 600 level admin",
            "defaults",
            "  mode http",
            "  timeout connect 2s",
            "  timeout client 60s",
            "  timeout server 60s",
            "frontend callers",
            f"  bind 127.0.0.1:{self.port}",
            "  default_backend pods",
            "backend pods",
            "  balance leastconn",
            "  option httpchk GET /readyz",
            *servers,
        ]
        file = folder / "haproxy.cfg"
        file.write_text("\n".join([*rules, ""]))
        self._process = subprocess.Popen(["haproxy", "-f", file], stderr=subprocess.DEVNULL)

    def take_away(self, port: int) -> None:
        """No new request to this server: what the endpoints of a Service do."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self._admin))
            admin.sendall(f"set server pods/s{port} state drain\n".encode())
            admin.recv(100)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@contextmanager
def callers(port: int, count: int) -> Iterator[list[int]]:
    """Callers that ask again half a second after they were answered; statuses, 0 where nothing came."""
    statuses: list[int] = []
    stop = threading.Event()
    photograph = jpeg(320, 213)

    def call() -> None:
        while not stop.wait(0.5):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/panoptic", data=photograph)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    answer.read()
                    statuses.append(answer.status)
            except urllib.error.HTTPError as error:
                statuses.append(error.code)
            except OSError:
                statuses.append(0)

    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_replacing_both_replicas_under_load_loses_no_request(podman: str, tmp_path: Path) -> None:
    if shutil.which("haproxy") is None:
        pytest.skip("haproxy is not installed (apt install haproxy)")
    with running(podman, *STATED) as first, running(podman, *STATED) as second:
        new = free_port()
        balancer = Balancer(tmp_path, [first.port, second.port, new])
        try:
            time.sleep(LEAVES_S)
            with callers(balancer.port, 3) as statuses:
                while len(statuses) < 10:
                    time.sleep(0.1)
                with running(podman, *STATED, port=new):
                    time.sleep(LEAVES_S)
                    for old in (first, second):
                        balancer.take_away(old.port)
                        time.sleep(LEAVES_S)
                        assert old.do("stop", "--time=50", old.name).returncode == 0
                    asked = len(statuses)
                    while len(statuses) < asked + 10:
                        time.sleep(0.1)
        finally:
            balancer.close()

    print(f"{len(statuses)} requests, while both replicas were replaced")
    assert set(statuses[: asked + 10]) == {200}
