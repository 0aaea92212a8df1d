"""The command panoptic-evaluate, with a bundle whose answers are known."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.bundle import Bundle
from service import evaluate
from service.evaluation import answering
from service.evaluation.truth import Item
from service.pipeline import choice
from tests.service.evaluation.sets import NAMES, write_folder
from tests.service.toy import write_toy


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "data")


def run(bundle: Bundle, data: Path, *options: str) -> int:
    return evaluate.main(
        [str(bundle.path), str(data), "--out", str(data.parent / "out"), "--threads", "1", *options]
    )


def report(data: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((data.parent / "out" / "report.json").read_text())
    return found


def test_an_evaluation_leaves_figures_as_json_markdown_and_pictures(toy: Bundle, data: Path) -> None:
    code = run(toy, data)

    found, page = report(data), (data.parent / "out" / "report.md").read_text()
    assert code == 0
    assert found["bundle"] == {"name": "toy", "version": "1.0", "digest": toy.digest}
    assert toy.digest in page
    assert "panoptic-evaluate" in page
    assert all((data.parent / "out" / name).is_file() for name in ("classes.png", "confusion.png"))


def test_no_measurement_of_time_chooses_the_engine(
    toy: Bundle, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PANOPTIC_BACKEND", raising=False)
    monkeypatch.setattr(choice, "_fastest", None)  # whoever compares times fails

    run(toy, data)

    assert str(report(data)["engine"]).startswith("ONNX Runtime")


def test_the_toy_sees_its_scenes_nearly_as_they_are(toy: Bundle, data: Path) -> None:
    run(toy, data)

    means = report(data)["means"]
    assert isinstance(means, dict)
    assert means["all"]["iou"] > 0.8
    assert means["all"]["pq"] > 0.6


def test_a_killed_evaluation_goes_on_to_the_same_figures(
    toy: Bundle, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(toy, data)
    whole = report(data)
    answer = answering._answer

    def killed_at_the_last(predictor: object, item: Item, answers: object) -> None:
        if item.name == NAMES[-1]:
            raise KeyboardInterrupt
        answer(predictor, item, answers)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(answering, "_answer", killed_at_the_last)
        assert run(toy, data, "--anew") == 130
    with (data.parent / "out" / "answers.jsonl").open("a") as file:
        file.write('{"name": "half of a li')

    assert run(toy, data) == 0
    assert f"2 of {len(NAMES)} answers are kept" in capsys.readouterr().err
    again = report(data)
    assert {**again, "command": ""} == {**whole, "command": ""}


def test_answers_of_another_bundle_are_refused_until_told_to_forget_them(
    toy: Bundle, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_toy(data.parent / "other", grid="output")
    run(toy, data)

    assert run(other, data) == 2
    assert "another bundle" in capsys.readouterr().err
    assert run(other, data, "--anew") == 0


def test_a_directory_of_other_files_is_left_alone(
    toy: Bundle, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data.parent / "out").mkdir()
    (data.parent / "out" / "thesis.txt").write_text("years of work")

    assert run(toy, data, "--anew") == 2
    assert "holds other files" in capsys.readouterr().err
    assert (data.parent / "out" / "thesis.txt").is_file()


def damaged_photograph(data: Path) -> None:
    (data / "images" / f"{NAMES[0]}.png").write_bytes(b"no picture")


def missing_photograph(data: Path) -> None:
    (data / "images" / f"{NAMES[0]}.png").unlink()


def damaged_labels(data: Path) -> None:
    (data / "panoptic" / f"{NAMES[0]}.png").write_bytes(b"no picture")


def labels_of_another_size(data: Path) -> None:
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(data / "panoptic" / f"{NAMES[0]}.png")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damaged_photograph, "the service refuses it: The body, 10 bytes, is no picture"),
        (missing_photograph, "No such file"),
        (damaged_labels, "cannot be decoded"),
        (labels_of_another_size, "20 x 10 pixels, the upright photograph 128 x 96"),
    ],
)
def test_a_single_unusable_photograph_is_left_out_by_name_with_exit_code_1(
    harm: Callable[[Path], None], words: str, toy: Bundle, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(data)

    assert run(toy, data) == 1
    assert capsys.readouterr().err.count(f"Left out {NAMES[0]}") == 1
    left_out = report(data)["left_out"]
    assert isinstance(left_out, list)
    assert words in left_out[0]["why"]


def test_a_data_set_of_unusable_photographs_ends_in_one_sentence(
    toy: Bundle, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged_photograph(data)

    assert run(toy, data, "--limit", "1") == 2
    assert "None of 1 photographs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--layout", "coco"), "panoptic_val2017.json is missing"),
        (("--curriculum", "street"), "go together"),
        (("--curriculum", "street", "--data-set", "coco"), "other classes than the bundle's"),
        (("--limit", "0"), "must be 1 or more"),
        (("--layout", "voc"), "invalid choice"),
    ],
)
def test_a_mistake_ends_in_one_sentence_and_exit_code_2(
    options: tuple[str, ...], words: str, toy: Bundle, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(toy, data, *options)

    said = capsys.readouterr().err
    assert code == 2
    assert words in said
    assert said.count("\n") == 1
