"""The image run as the manifests run it: read-only, without capabilities, with little memory. `make image-test`."""

import io
import json
import socket
import struct
import threading
import time
import zlib

import pytest

from tests.docker.conftest import STATED, Container, jpeg, running

pytestmark = pytest.mark.image

PROBE = """
import json, pathlib, tempfile
def writable(folder):
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            return True
    except OSError:
        return False
print(json.dumps([folder for folder in {folders!r} if writable(folder)]))
"""


def test_a_photograph_is_answered_and_the_time_to_ready_is_told(container: Container) -> None:
    status, content = container.post(jpeg(640, 427))

    print(f"ready {container.ready_s:.1f} s after `podman run`; memory limit 2 GiB, 2 threads")
    assert status == 200
    assert json.loads(content)["image"]["width"] == 640


def test_only_the_cache_may_be_written(container: Container) -> None:
    folders = ["/", "/opt", "/opt/venv", "/etc", "/home", "/root", "/run", "/tmp", "/var", "/var/cache"]

    found = container.python(PROBE.format(folders=[*folders, "/var/cache/panoptic"]))

    assert json.loads(found.stdout) == ["/var/cache/panoptic"]


def test_the_server_is_the_first_process_and_has_no_privilege(container: Container) -> None:
    read = "print(open('/proc/1/cmdline').read().replace(chr(0), ' ')); print(open('/proc/1/status').read())"

    command, _, status = container.python(read).stdout.partition("\n")
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    assert "panoptic-serve" in command
    assert (found["Uid"].split("\t")[0], found["NoNewPrivs"]) == ("10001", "1")
    assert int(found["CapEff"], 16) == int(found["CapBnd"], 16) == 0


@pytest.mark.parametrize("name", ["torch", "pip", "setuptools", "pytest"])
def test_what_serving_does_not_need_is_not_inside(name: str, container: Container) -> None:
    assert "ModuleNotFoundError" in container.python(f"import {name}").stderr


def test_the_list_of_what_is_inside_names_every_installed_package(container: Container) -> None:
    listed = "import json; print(*(c['name'] for c in json.load(open('/opt/sbom.json'))['components']))"
    installed = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"

    names = set(container.python(listed).stdout.split())

    assert "onnxruntime" in names
    assert set(container.python(installed).stdout.split()) <= names


def test_the_kernels_were_compiled_as_the_image_was_built(container: Container) -> None:
    kept = "import pathlib, service.pipeline.kernels as k; print(len(list(pathlib.Path(k.__path__[0]).rglob('*.nbi'))))"

    assert int(container.python(kept).stdout) > 0


def test_the_health_check_passes(container: Container) -> None:
    assert container.do("healthcheck", "run", container.name).returncode == 0


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is so large, with no more than one row of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = zlib.compress(bytes(1 + 3 * width))
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", row) + chunk(b"IEND", b"")


def test_an_image_beyond_the_memory_is_refused_and_the_server_lives(container: Container) -> None:
    status, content = container.post(png_header(30_000, 30_000))

    assert (status, json.loads(content)["type"]) == (413, "/problems/image-too-large")
    assert container.state()["Running"]


def test_images_of_the_manifests_limit_fit_into_the_memory(podman: str) -> None:
    with running(podman, *STATED, "--env", "PANOPTIC_MAX_MEGAPIXELS=24") as small:
        statuses: list[int] = []
        callers = [
            threading.Thread(target=lambda: statuses.append(small.post(jpeg(6000, 4000))[0]))
            for _ in range(4)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

        assert statuses == [200] * 4
        assert not small.state()["OOMKilled"]


def test_sigterm_during_a_request_answers_it_and_ends_well(podman: str) -> None:
    photograph = jpeg(640, 427)
    head = f"POST /v1/panoptic HTTP/1.1\r\nHost: x\r\nContent-Length: {len(photograph)}\r\n\r\n".encode()

    with (
        running(podman, *STATED) as stopping,
        socket.create_connection(("127.0.0.1", stopping.port), 60) as caller,
    ):
        caller.sendall(head + photograph[:100])
        while stopping.metric("panoptic_inflight_requests") < 1:
            time.sleep(0.05)
        stopping.do("kill", "--signal=TERM", stopping.name)
        time.sleep(1)
        caller.sendall(photograph[100:])
        answer = io.BytesIO()
        while block := caller.recv(65536):
            answer.write(block)
        code = stopping.do("wait", stopping.name).stdout.strip()

    assert answer.getvalue().startswith(b"HTTP/1.1 200")
    assert code == "0"
