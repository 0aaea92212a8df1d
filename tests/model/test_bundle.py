"""The bundle reader trusts nothing that its manifest does not hold."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.bundle import BundleError, file_entry, read_bundle

Manifest = dict[str, Any]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The smallest sound bundle."""
    path = tmp_path / "bundle"
    (path / "goldens").mkdir(parents=True)
    for name in ("model.onnx", "goldens/a.png", "goldens/a.panoptic.png"):
        (path / name).write_bytes(name.encode())
    write(path, manifest_of(path))
    return path


def test_a_sound_bundle_is_read(bundle: Path) -> None:
    assert read_bundle(bundle).manifest.name == "toy"


def test_the_digest_changes_with_the_manifest(bundle: Path) -> None:
    before = read_bundle(bundle).digest
    write(bundle, manifest_of(bundle) | {"version": "2"})

    assert read_bundle(bundle).digest != before


CHANGES: list[tuple[Callable[[Manifest], object], str]] = [
    (lambda told: told.update(format=3), "has bundle format 3, this program reads up to 2. Use a newer"),
    (lambda told: told.update(format="one"), "is no manifest of a format up to 2: format: "),
    (lambda told: told.pop("licence"), "licence: Field required"),
    (lambda told: told.update(flavor="d2"), "flavor: Extra inputs are not permitted"),
    (lambda told: told["input"].update(layout="NCHW"), "input.layout: Extra inputs are not permitted"),
    (lambda told: told["input"].update(buckets=[]), "input.buckets: "),
    (lambda told: told["merging"].update(grid="sideways"), "merging.grid: "),
    (lambda told: told.update(name="../street"), "name: String should match pattern"),
    (lambda told: told["files"].pop("model.onnx"), "lists no model.onnx. Export the bundle again."),
    (
        lambda told: told["files"].pop("goldens/a.png"),
        "names a golden 'goldens/a.png' that its files do not list",
    ),
    (
        lambda told: told["files"].update({"../x": told["files"]["model.onnx"]}),
        "lists '../x', which is outside",
    ),
    (lambda told: told["files"].update({"/x": told["files"]["model.onnx"]}), "lists '/x', which is outside"),
    (
        lambda told: told["files"].update({"a\\b": told["files"]["model.onnx"]}),
        "which is outside of the bundle",
    ),
    (
        lambda told: told["files"].update({"gone": told["files"]["model.onnx"]}),
        "lacks gone, which its manifest lists",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), CHANGES, ids=[sentence[:40] for _, sentence in CHANGES])
def test_a_manifest_that_is_wrong_is_refused(
    bundle: Path, change: Callable[[Manifest], object], sentence: str
) -> None:
    told = manifest_of(bundle)
    change(told)
    write(bundle, told)

    with pytest.raises(BundleError) as refusal:
        read_bundle(bundle)

    assert sentence in str(refusal.value)


def test_a_directory_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has no manifest\.json\. Make one with `panoptic-export"):
        read_bundle(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3"], ids=["empty", "cut", "a list", "a number"])
def test_a_manifest_that_is_no_object_is_refused(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_text(text)

    with pytest.raises(BundleError, match="Export the bundle again"):
        read_bundle(bundle)


def test_a_changed_byte_is_refused(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"model.onnX")

    with pytest.raises(
        BundleError, match=r"model\.onnx has sha256 \w{12}…, the manifest says \w{12}…\. Copy"
    ):
        read_bundle(bundle)


def test_a_changed_length_is_refused(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"")

    with pytest.raises(BundleError, match=r"model\.onnx has 0 bytes, the manifest says 10\."):
        read_bundle(bundle)


def test_a_link_out_of_the_bundle_is_refused(bundle: Path) -> None:
    (bundle / "model.onnx").rename(bundle.parent / "elsewhere")
    (bundle / "model.onnx").symlink_to(bundle.parent / "elsewhere")

    with pytest.raises(BundleError, match="is a link out of the bundle"):
        read_bundle(bundle)


def test_a_folder_out_of_the_bundle_is_refused(bundle: Path) -> None:
    (bundle / "goldens").rename(bundle.parent / "elsewhere")
    (bundle / "goldens").symlink_to(bundle.parent / "elsewhere")

    with pytest.raises(BundleError, match="is a link out of the bundle"):
        read_bundle(bundle)


def manifest_of(bundle: Path) -> Manifest:
    names = ("model.onnx", "goldens/a.png", "goldens/a.panoptic.png")
    return {
        "format": 1,
        "name": "toy",
        "version": "1",
        "variant": "efficientnet-lite0",
        "licence": "Apache-2.0",
        "training_data": "none",
        "source": {"sha256": "0" * 64, "flavour": "own"},
        "input": {"name": "image", "buckets": [[64, 96]], "batch_sizes": [1], "pad_value": [127, 127, 127]},
        "heads": {
            "stride": 4,
            "align_corners": False,
            "outputs": [
                {"name": "semantic", "channels": 1},
                {"name": "center", "channels": 1},
                {"name": "offset", "channels": 2},
            ],
        },
        "categories": [{"id": 7, "name": "road", "isthing": False, "color": [128, 64, 128]}],
        "merging": {
            "grid": "input",
            "threshold": 0.1,
            "nms_kernel": 7,
            "top_k": 200,
            "stuff_area": 0,
            "label_divisor": 1000,
        },
        "files": {name: file_entry(bundle / name).model_dump() for name in names},
        "certificate": {
            "torch": "2",
            "onnxruntime": "1",
            "weights": "none",
            "images": [],
            "max_abs_difference": {"semantic": 0.0, "center": 0.0, "offset": 0.0},
            "equal_panoptic_pixels": 1.0,
        },
        "goldens": [
            {
                "bucket": [64, 96],
                "image": "goldens/a.png",
                "panoptic": "goldens/a.panoptic.png",
                "equal_pixels": 0.995,
            }
        ],
    }


def write(bundle: Path, manifest: Manifest) -> None:
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
