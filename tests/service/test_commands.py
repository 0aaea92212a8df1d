"""The two commands as processes: what they print, write and return."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from model.bundle import Bundle
from service import predict
from service.pipeline.encode import rgb_to_ids
from tests.service.conftest import photograph
from tests.service.toy import BUCKETS, write_toy

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "service.serve", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


@pytest.fixture
def server(toy: Bundle) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process and its address."""
    process = start("--bundle", str(toy.path), "--port", "0", "--threads", "1", "--lame-duck-s", "0")
    assert process.stdout is not None
    line = process.stdout.readline()
    yield process, line.partition(" on ")[2].partition(" ")[0]
    process.kill()
    process.communicate()


@pytest.mark.parametrize("command", ["serve", "predict", "evaluate"])
def test_a_command_starts_no_threads_before_it_knows_how_many_it_may_have(command: str) -> None:
    script = f"import psutil, service.{command}, cv2, numpy; print(psutil.Process().num_threads())"
    env = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, check=True)
    assert found.stdout == b"1\n"


FROZEN = """
import gc, sys
from service import serve

say = serve._say
serve._say = lambda line: say(f"{gc.get_freeze_count()} of {gc.get_freeze_count() + len(gc.get_objects())}: {line}")
sys.exit(serve.main(sys.argv[1:]))
"""


def test_once_ready_the_garbage_collector_has_next_to_nothing_to_walk(toy: Bundle) -> None:
    arguments = ("--bundle", str(toy.path), "--port", "0", "--threads", "1")
    with subprocess.Popen([sys.executable, "-c", FROZEN, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        frozen, whole = process.stdout.readline().decode().partition(":")[0].split(" of ")
        process.kill()

    assert int(frozen) > 0.9 * int(whole) > 10_000


def test_serving_says_where_and_answers_there_and_ends_well_on_sigterm(
    server: tuple[subprocess.Popen[str], str],
) -> None:
    process, address = server

    answer = httpx.put(f"{address}/v1/panoptic", content=photograph("china.jpg").read_bytes(), timeout=60)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)

    assert answer.status_code == 200
    assert "PUT /v1/panoptic 200" in log
    assert "Traceback" not in log
    assert process.returncode == 0


def test_a_port_that_is_taken_ends_in_one_sentence(toy: Bundle) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start("--bundle", str(toy.path), "--port", str(taken.getsockname()[1]))
        _, log = process.communicate(timeout=60)

    assert process.returncode == 2
    assert log.count("\n") == 1
    assert "Choose another with --host and --port." in log


def test_a_bundle_that_fails_its_self_test_ends_the_server(tmp_path: Path) -> None:
    bundle = write_toy(tmp_path / "wrong", golden=np.ones(BUCKETS[0], np.int32))
    process = start("--bundle", str(bundle.path), "--port", "0")

    _, log = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "fails its self-test" in log.splitlines()[-1]


def test_predicting_writes_a_png_a_json_and_an_overlay_for_each(toy: Bundle, tmp_path: Path) -> None:
    photographs = [photograph(name) for name in ("china.jpg", "coffee.png")]

    code = predict.main([*map(str, photographs), "--out", str(tmp_path), "--bundle", str(toy.path)])

    assert code == 0
    for name in ("china", "coffee"):
        document = json.loads((tmp_path / f"{name}.json").read_text())
        with Image.open(tmp_path / f"{name}.png") as image:
            ids = rgb_to_ids(np.asarray(image))
        assert {segment["id"] for segment in document["segments_info"]} == set(np.unique(ids)) - {0}
        with Image.open(tmp_path / f"{name}.overlay.jpg") as image:
            assert image.size == ids.shape[::-1]


def test_a_bad_photograph_is_told_in_one_line_and_the_others_are_done(
    toy: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")

    code = predict.main(
        [str(bad), str(photograph("china.jpg")), "--out", str(tmp_path), "--bundle", str(toy.path)]
    )

    said = capsys.readouterr()
    assert code == 1
    assert said.err.startswith(f"{bad}: The body, 10 bytes, is no picture")
    assert said.err.count("\n") == 1
    assert (tmp_path / "china.png").is_file()


def test_photographs_of_one_name_get_answers_of_two(toy: Bundle, tmp_path: Path) -> None:
    twin = tmp_path / "china.jpg"
    twin.write_bytes(photograph("china.jpg").read_bytes())

    predict.main([str(twin), str(photograph("china.jpg")), "--out", str(tmp_path), "--bundle", str(toy.path)])

    assert (tmp_path / "china.json").is_file()
    assert (tmp_path / "china-2.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.jpg", "--out", "x"], "nowhere.jpg is no file"),
        (["--out", "x"], "PHOTO"),
        ([__file__, "--out", "x", "--bundle", "nowhere"], "nowhere is not a bundle"),
        ([__file__, "--out", "x", "--threads", "-1"], "--threads is '-1'"),
    ],
)
def test_a_mistake_ends_in_one_sentence_and_exit_code_2(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    code = predict.main(arguments)

    said = capsys.readouterr().err
    assert code == 2
    assert words in said
    assert said.count("\n") == 1


def test_a_runtime_that_is_stated_and_missing_ends_in_one_sentence(toy: Bundle, tmp_path: Path) -> None:
    (tmp_path / "openvino.py").write_text("raise ImportError('not here')\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}

    ended = subprocess.run(
        [sys.executable, "-m", "service.serve", "--backend", "openvino", "--bundle", toy.path, "--port", "0"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("Error: ")
    assert "pip install 'panoptic-service[openvino]'" in ended.stderr.splitlines()[-1]
