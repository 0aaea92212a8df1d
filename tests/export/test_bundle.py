"""A bundle is written whole or not at all, and verify finds what was changed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export import cli
from export.goldens import read_golden
from model.bundle import Bundle, file_entry


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle.path, tmp_path / "copy"))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["panoptic-export", *map(str, arguments)])
    with pytest.raises(SystemExit) as ending:
        cli.main()
    return int(ending.value.code or 0)


def test_the_bundle_tells_what_the_checkpoint_tells(bundle: Bundle, checkpoint: Path) -> None:
    manifest = bundle.manifest

    told = (manifest.name, manifest.version, manifest.licence, manifest.certificate.weights)

    assert told == ("street", "7", "Apache-2.0", "stand-in: filled by parameter names")
    assert manifest.source.sha256 == file_entry(checkpoint).sha256


def test_the_model_card_is_one_of_the_bundles_files(bundle: Bundle) -> None:
    assert "README.md" in bundle.manifest.files
    assert bundle.file("README.md").read_text() == "# A model of no use\n"


def test_nothing_is_left_beside_the_bundle(bundle: Bundle) -> None:
    assert [entry.name for entry in bundle.path.parent.iterdir()] == ["street"]


def test_every_bucket_has_a_golden_of_its_size(bundle: Bundle) -> None:
    sizes = [read_golden(bundle, golden)[0].image.shape[:2] for golden in bundle.manifest.goldens]

    assert tuple(sizes) == bundle.manifest.input.buckets


def test_every_golden_says_how_much_of_it_must_be_answered_alike(bundle: Bundle) -> None:
    assert {golden.equal_pixels for golden in bundle.manifest.goldens} == {0.99}


def test_verify_proves_a_sound_bundle_against_its_checkpoint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bundle: Bundle, checkpoint: Path
) -> None:
    code = run(monkeypatch, "verify", bundle.path, "--checkpoint", checkpoint)

    output = capsys.readouterr().out
    assert "golden 64x96 in each row of 3: " in output
    assert "torch against ONNX Runtime: 2 pictures" in output
    assert output.endswith("all proofs hold\n")
    assert code == 0


def test_verify_finds_a_flipped_byte(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], copy: Path
) -> None:
    content = bytearray((copy / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model.onnx").write_bytes(content)

    code = run(monkeypatch, "verify", copy)

    assert "model.onnx has sha256 " in capsys.readouterr().err
    assert code == 2


def test_verify_finds_a_wrong_golden(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], copy: Path
) -> None:
    path = copy / "goldens/64x96.panoptic.png"
    with Image.open(path) as image:
        wrong = np.array(image)
    wrong[:8] = 77
    Image.fromarray(wrong).save(path)
    renew_entry(copy, "goldens/64x96.panoptic.png")

    code = run(monkeypatch, "verify", copy)

    assert "FAILED  golden 64x96 alone: 87.5" in capsys.readouterr().out
    assert code == 1


def test_verify_finds_another_checkpoint(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    copy: Path,
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["source"]["sha256"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))

    run(monkeypatch, "verify", copy, "--checkpoint", checkpoint)

    assert "FAILED  source:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.safetensors", "--out", "b"], "there is no file missing.safetensors. Give a weights file"),
        (["{checkpoint}"], "Missing option '--out'."),
        (
            ["{checkpoint}", "--out", "b", "--buckets", "big"],
            "'big' is no list of sizes; write rows x columns",
        ),
        (
            ["{checkpoint}", "--out", "b", "--buckets", "60x96"],
            "the sides of the bucket 60x96 must be multiples of 16",
        ),
        (["{checkpoint}", "--out", "b", "--batch-sizes", "2,4"], "the batch sizes 2, 4 must ascend from 1"),
        (["{checkpoint}", "--out", "b", "--batch-sizes", "x"], "'x' is no list of numbers"),
        (["{checkpoint}", "--out", "b", "--images", "no.jpg"], "there is no photograph no.jpg. Give a JPEG"),
        (["{checkpoint}", "--out", "b", "--images", "{checkpoint}"], "is no readable picture"),
        (["{checkpoint}", "--out", "{checkpoint}"], "is a file. Give --out a new or empty directory."),
        (["{checkpoint}", "--out", "."], "holds something that is no bundle."),
        (["{checkpoint}", "--out", "b", "--speed", "9"], "No such option '--speed'"),
        (["verify", "nowhere"], "nowhere is not a bundle: it has no manifest.json."),
        (["verify", "nowhere", "--images", "a.jpg"], "--images needs --checkpoint"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_mistake_ends_in_one_sentence_and_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    checkpoint: Path,
    tmp_path: Path,
    arguments: list[str],
    sentence: str,
) -> None:
    (tmp_path / "something").touch()
    monkeypatch.chdir(tmp_path)

    code = run(monkeypatch, *(argument.format(checkpoint=checkpoint) for argument in arguments))

    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert code == 2


def test_a_failed_export_leaves_an_older_bundle_alone(
    monkeypatch: pytest.MonkeyPatch, copy: Path, checkpoint: Path
) -> None:
    before = (copy / "manifest.json").read_bytes()

    run(monkeypatch, checkpoint, "--out", copy, "--golden", checkpoint)

    assert (copy / "manifest.json").read_bytes() == before
    assert [entry.name for entry in copy.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"]], ids=" ".join)
def test_help_explains_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code = run(monkeypatch, *arguments)

    assert "bundle" in capsys.readouterr().out
    assert code == 0


def renew_entry(bundle: Path, name: str) -> None:
    """Make the manifest agree with a changed file, as a careless hand would."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"][name] = file_entry(bundle / name).model_dump()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
