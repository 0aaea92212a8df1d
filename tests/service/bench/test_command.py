"""panoptic-bench: what each of its commands prints, writes and returns, on real servers."""

import json
import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest

from model.bundle import Bundle, read_bundle
from service.bench.command import main
from service.bench.server import running_server
from service.capacity import read_capacity
from tests.service.conftest import Encode, Serve, photograph

PHOTO = str(photograph("china.jpg"))


def address(client: httpx.Client) -> str:
    return str(client.base_url)


def test_load_in_a_closed_loop_is_told_and_written(
    client: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(
        ["closed", address(client), PHOTO, "--connections", "1,2", "--seconds", "0.2", "--out", str(tmp_path)]
    )

    runs = json.loads((tmp_path / "figures.json").read_text())
    assert code == 0
    assert [run["offered"] for run in runs] == [1, 2]
    assert all(run["images"] > 0 and run["cpu_ms"] > 0 and run["rss_mb"] > 0 for run in runs)
    assert capsys.readouterr().out == (tmp_path / "report.md").read_text()
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")


def test_load_in_an_open_loop_is_told(client: httpx.Client, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["open", address(client), PHOTO, "--rate", "5,10", "--seconds", "0.4", "--format", "png"])

    assert code == 0
    assert "| arrivals/s | images |" in capsys.readouterr().out


def test_the_stages_are_told_with_their_curves(
    toy: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.bench.stages.USUAL", (128, 256))
    monkeypatch.setattr("service.bench.stages.USUAL_INSTANCES", 3)
    monkeypatch.setattr("service.bench.stages.INSTANCES", (0, 3))

    code = main(
        [
            *("stages", "--bundle", str(toy.path), "--most-megapixels", "0.5"),
            *("--seconds", "0.01", "--out", str(tmp_path)),
        ]
    )

    said = capsys.readouterr().out
    assert code == 0
    assert "| infer |" in said
    assert "to the power" in said
    assert {path.name for path in tmp_path.iterdir()} == {
        *("report.md", "figures.json", "pixels.png", "instances.png", "classes.png")
    }


def test_the_capacity_of_a_running_server_goes_into_its_bundle(
    toy: Bundle, tmp_path: Path, serve: Serve
) -> None:
    bundle = read_bundle(shutil.copytree(toy.path, tmp_path / "own"))
    client = serve(bundle=bundle.path)

    code = main(["capacity", address(client), "--bundle", str(bundle.path), "--seconds", "0.2"])

    found = read_capacity(bundle)
    assert code in (0, 1)  # a machine that is busy may keep up with nothing
    assert found is not None
    assert [each.bucket for each in found.buckets] == list(bundle.manifest.input.buckets)
    assert client.get("/v1/model").json()["capacity"]["measured"] == found.measured


def test_a_server_of_another_bundle_is_not_measured_for_this_one(
    client: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["capacity", address(client)])

    assert code == 2
    assert "Give --bundle the directory it serves." in capsys.readouterr().err


def test_the_null_bundle_gives_every_photograph_the_same_segments(tmp_path: Path, encode: Encode) -> None:
    code = main(["null-bundle", str(tmp_path / "null"), "--size", "64x128", "--instances", "5"])
    assert code == 0
    bundle = read_bundle(tmp_path / "null")
    pictures = [encode(np.full((64, 128, 3), gray, np.uint8)) for gray in (0, 200)]

    with running_server(bundle.path, ("--threads", "1")) as server:
        answers = [
            httpx.post(f"{server.address}/v1/panoptic", content=picture, timeout=60).json()
            for picture in pictures
        ]

    things = [segment for segment in answers[0]["segments_info"] if segment["isthing"]]
    assert len(things) == 5
    assert answers[0]["segments_info"] == answers[1]["segments_info"]


def test_what_the_export_refuses_is_told_by_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["null-bundle", str(tmp_path / "null"), "--classes", "20"]) == 2
    assert capfd.readouterr().err == "Error: no label set has 20 classes; there are those of 17, 19, 133.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["fly"], "fly"),
        (["null-bundle"], "DIR"),
        (["null-bundle", "DIR", "--sice", "64x128"], "the nearest is --size"),
        (["closed", "127.0.0.1:9"], "PHOTO"),
        (["closed", "127.0.0.1:9", "nowhere.jpg"], "nowhere.jpg"),
        (["closed", "127.0.0.1:9", PHOTO], "ConnectionRefusedError"),
        (["closed", "https://host", PHOTO], "no address to load"),
        (["closed", "127.0.0.1:9", PHOTO, "--connections", "0"], "--connections is '0'"),
        (["closed", "127.0.0.1:9", PHOTO, "--seconds", "-1"], "--seconds is '-1'"),
        (["closed", "127.0.0.1:9", PHOTO, "--rate", "1"], "there is no option --rate"),
        (["closed", "127.0.0.1:9", PHOTO, "--pid", "4194305"], "no process 4194305"),
        (["open", "127.0.0.1:9", PHOTO], "--rate"),
        (["open", "127.0.0.1:9", PHOTO, "--rate", "fast"], "--rate is 'fast'"),
        (["stages", "--bundle", "nowhere"], "nowhere is not a bundle"),
        (["stages", __file__], "is no picture"),
        (["capacity", "--bundle", "nowhere"], "nowhere is not a bundle"),
        (["capacity", "127.0.0.1:9"], "tells no /v1/model"),
    ],
)
def test_a_mistake_ends_in_one_sentence_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(arguments)

    said = capsys.readouterr().err
    assert code == 2
    assert words.lower() in said.lower()
    assert said.count("\n") == 1
