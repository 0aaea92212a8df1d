"""Quality: a shorter format is judged beside fp32 on labelled photographs, and refused where it loses too much."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from export import ExportError
from export.commands.quantize import quantize
from export.goldens import decode_ids
from export.judgement import Evaluate, Jury, judge, run_evaluate
from model.bundle import MANIFEST, Bundle, BundleError, Figures, read_bundle, write_manifest
from tests.service.conftest import photograph
from tests.service.evaluation.sets import NAMES, write_folder
from tests.service.toy import write_toy

Reports = Callable[..., Evaluate]
JURY = Jury(Path("camvid/val"), ("street", "camvid"), limit=30, max_loss=1.0)


@pytest.fixture
def shorter(bundle: Bundle) -> Bundle:
    """Another name for the same files; what it says is told by a fake."""
    return bundle.model_copy(update={"precision": "int8"})


def reporting(before: tuple[float, float], after: tuple[float, float], photographs: int = 30) -> Evaluate:
    """An evaluation whose reports tell PQ and mIoU of fp32, and of the shorter format on so many photographs."""

    def evaluate(bundle: Bundle, jury: Jury) -> dict[str, Any]:
        pq, miou = before if bundle.precision == "fp32" else after
        count = 30 if bundle.precision == "fp32" else photographs
        return {"photographs": count, "means": {"all": {"pq": pq, "iou": miou}}}

    return evaluate


def test_a_format_that_loses_too_much_pq_is_refused_with_both_figures_and_the_limit(
    bundle: Bundle, shorter: Bundle
) -> None:
    with pytest.raises(ExportError) as refusal:
        judge(JURY, bundle, shorter, reporting((0.542, 0.593), (0.514, 0.590)))

    assert str(refusal.value) == (
        "int8 loses more than --max-loss 1 allows: PQ 51.40 after 54.20, mIoU 59.00 after 59.30, on 30 photographs of "
        "camvid/val, mapped by street: camvid. No bundle was written; see --keep."
    )


def test_a_format_that_loses_too_much_miou_alone_is_refused_too(bundle: Bundle, shorter: Bundle) -> None:
    with pytest.raises(ExportError, match=r"mIoU 56\.60 after 59\.30"):
        judge(JURY, bundle, shorter, reporting((0.542, 0.593), (0.542, 0.566)))


def test_a_format_that_holds_has_its_figures_beside_those_of_fp32(bundle: Bundle, shorter: Bundle) -> None:
    quality = judge(JURY, bundle, shorter, reporting((0.542, 0.593), (0.535, 0.595)))

    assert (quality.graph, quality.source) == (Figures(pq=0.535, miou=0.595), Figures(pq=0.542, miou=0.593))
    assert (quality.data, quality.photographs) == ("camvid/val, mapped by street: camvid", 30)
    assert quality.max_loss == 1.0


def test_figures_of_different_photographs_are_not_compared(bundle: Bundle, shorter: Bundle) -> None:
    with pytest.raises(ExportError, match=r"30 photographs .* in fp32 and 29 in int8"):
        judge(JURY, bundle, shorter, reporting((0.5, 0.5), (0.5, 0.5), photographs=29))


def test_data_that_show_no_class_of_the_bundle_prove_nothing(bundle: Bundle, shorter: Bundle) -> None:
    def nothing(bundle: Bundle, jury: Jury) -> dict[str, Any]:
        return {"photographs": 1, "means": {"all": {"pq": None, "iou": None}}}

    with pytest.raises(ExportError, match="shows no class of the bundle"):
        judge(JURY, bundle, shorter, nothing)


def test_the_evaluation_is_the_command_whatever_the_environment_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANOPTIC_BACKEND", "no such engine")
    toy = write_toy(tmp_path / "toy")

    report = run_evaluate(toy, Jury(write_folder(tmp_path / "data"), None, limit=2, max_loss=1))

    assert report["bundle"]["digest"] == toy.digest
    assert report["photographs"] == 2 < len(NAMES)
    assert report["means"]["all"]["pq"] > 0.9


def test_data_that_cannot_be_read_are_told_in_the_commands_own_words(tmp_path: Path) -> None:
    toy = write_toy(tmp_path / "toy")

    with pytest.raises(
        ExportError, match=r"^toy could not be judged: .*is no directory\. Name the directory"
    ):
        run_evaluate(toy, Jury(tmp_path / "nowhere", None, limit=None, max_loss=1))


@pytest.fixture(scope="module")
def labelled(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The goldens as a data set: fp32's own answers are the truth."""
    path = tmp_path_factory.mktemp("labelled") / "goldens"
    images, annotations = [], []
    for folder in ("images", "panoptic"):
        (path / folder).mkdir(parents=True)
    for number, golden in enumerate(bundle.manifest.goldens, start=1):
        name = f"{number}.png"
        (path / "images" / name).write_bytes(bundle.file(golden.image).read_bytes())
        (path / "panoptic" / name).write_bytes(bundle.file(golden.panoptic).read_bytes())
        images.append({"id": number, "file_name": name})
        segments = segments_of(bundle, bundle.file(golden.panoptic))
        annotations.append({"image_id": number, "file_name": name, "segments_info": segments})
    categories = [{"id": each.id, "name": each.name} for each in bundle.manifest.categories]
    index = {"images": images, "annotations": annotations, "categories": categories}
    (path / "panoptic.json").write_text(json.dumps(index))
    return path


def segments_of(bundle: Bundle, panoptic: Path) -> list[dict[str, int]]:
    with Image.open(panoptic) as image:
        ids = np.unique(decode_ids(np.asarray(image.convert("RGB"))))
    divisor, categories = bundle.manifest.merging.label_divisor, bundle.manifest.categories
    return [
        {"id": number, "category_id": categories[(number - 1) // divisor].id}
        for number in ids.tolist()
        if number
    ]


def quantizing(bundle: Bundle, out: Path, *options: str) -> list[str]:
    images = ["--images", str(photograph("china.jpg"))]
    return [str(bundle.path), "--out", str(out), "--equal-pixels", "0", *images, *options]


def test_the_figures_stand_in_the_certificate_of_a_bundle_of_format_2(
    bundle: Bundle, labelled: Path, tmp_path: Path
) -> None:
    arguments = quantizing(bundle, tmp_path / "int8", "--data", str(labelled), "--max-loss", "100")

    result = CliRunner().invoke(quantize, arguments)

    assert result.exit_code == 0, result.output
    made = read_bundle(tmp_path / "int8")
    quality = made.manifest.certificate.quality
    assert quality is not None
    assert quality.source.pq > quality.graph.pq > 0
    assert (quality.data, made.manifest.format) == (f"{labelled.parent.name}/goldens", 2)
    assert f"PQ {100 * quality.graph.pq:.2f} after" in result.stderr


def test_a_bundle_that_loses_more_than_stated_is_not_written(
    bundle: Bundle, labelled: Path, tmp_path: Path
) -> None:
    arguments = quantizing(bundle, tmp_path / "int8", "--data", str(labelled), "--max-loss", "0")

    with pytest.raises(ExportError, match="int8 loses more than --max-loss 0 allows: PQ"):
        quantize.main(arguments, standalone_mode=False)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [[], ["--data", ".", "--unjudged"]], ids=["neither", "both"])
def test_whether_to_judge_has_to_be_said(bundle: Bundle, tmp_path: Path, options: list[str]) -> None:
    result = CliRunner().invoke(quantize, quantizing(bundle, tmp_path / "int8", *options))

    assert result.exit_code == 2
    assert "Give either --data DATASET" in result.stderr


def test_figures_in_a_manifest_of_format_1_are_refused(
    bundle: Bundle, shorter: Bundle, tmp_path: Path
) -> None:
    quality = judge(JURY, bundle, shorter, reporting((0.5, 0.5), (0.5, 0.5)))
    certificate = bundle.manifest.certificate.model_copy(update={"quality": quality})
    write_manifest(tmp_path, bundle.manifest.model_copy(update={"format": 2, "certificate": certificate}))
    told = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps(told | {"format": 1}))

    with pytest.raises(BundleError, match="the certificate's quality came with format 2"):
        read_bundle(tmp_path)


def test_a_bundle_without_figures_is_one_that_programs_of_format_1_read(bundle: Bundle) -> None:
    told = json.loads((bundle.path / MANIFEST).read_text())

    assert told["format"] == 1
    assert "quality" not in told["certificate"]
