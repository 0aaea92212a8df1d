"""Every variant has a graph, at its published size and at smaller ones."""

import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from export.family import Exported, export_stand_in, family, family_buckets
from export.gate import PRECISIONS, bundled, gate, operators_of, traced, try_precision
from export.onnx_graph import side_form
from export.precision import graph_in
from export.tensorrt import open_runtime, parse
from model.bundle import Bundle, Precision
from model.variants import VARIANTS, Variant, find_variant

ENGINES = Path(__file__).parents[2] / "docs" / "engines.md"
SMALL = 8  # a part of the published sides
EACH_FAMILY = ("r52-dc5-dsconv", "xception65-dc5-dsconv-coco", "hrnet18-os4", "mobilenet-v2-os32")
REST = sorted(VARIANTS.keys() - set(EACH_FAMILY))
EIGHT_GB = 8e9


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=lambda variant: variant.name)
def test_the_sizes_of_a_variant_are_its_published_one_and_a_smaller_of_the_same_form(
    variant: Variant,
) -> None:
    published, smaller = family_buckets(variant, 1)

    assert published == variant.input.size
    assert side_form(variant).holds(smaller)


@pytest.fixture(scope="module", params=EACH_FAMILY)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A variant of each family, small."""
    return export_stand_in(
        find_variant(request.param), tmp_path_factory.mktemp("family") / "out", SMALL, "1,2"
    )


def test_a_variant_of_each_family_exports_and_proves_itself(exported: Exported) -> None:
    assert exported.bundle.manifest.certificate.equal_panoptic_pixels > 0.999
    assert "stand-in" in exported.bundle.manifest.certificate.weights


@pytest.mark.parametrize("precision", PRECISIONS)
def test_tensorrt_takes_the_graph_of_each_family(exported: Exported, precision: Precision) -> None:
    assert parse(open_runtime("tensorrt-rtx"), graph_in(exported.bundle, precision)) == []


def test_the_command_prints_a_line_for_each_variant_and_tells_which_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--out", str(tmp_path), "--variant", "mobilenet-v2-os32", "--batch-sizes", "2"]

    result = CliRunner().invoke(family, [*arguments, "--part", "16"], standalone_mode=False)

    assert result.return_value == 1
    assert "FAILED: Error: the batch sizes 2 must ascend from 1" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("name", REST)
def test_every_other_variant_exports_and_proves_itself(name: str, tmp_path: Path) -> None:
    exported = export_stand_in(find_variant(name), tmp_path / name, SMALL, "1,2")

    assert exported.bundle.manifest.certificate.equal_panoptic_pixels > 0.999


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_tensorrt_builds_the_engine_of_every_variant(name: str, tmp_path: Path) -> None:
    exported = export_stand_in(find_variant(name), tmp_path / name, SMALL, "1,2")

    candidate = bundled(exported.bundle)
    trials = [try_precision(candidate, open_runtime("tensorrt-rtx"), each) for each in PRECISIONS]

    assert [trial.refusal for trial in trials] == [""] * len(PRECISIONS)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_tensorrt_builds_the_engine_of_every_variant_at_its_published_size(name: str, tmp_path: Path) -> None:
    candidate = traced(find_variant(name), tmp_path)

    trial = try_precision(candidate, open_runtime("tensorrt-rtx"), "fp16")

    assert candidate.buckets[0] == find_variant(name).input.size
    assert trial.refusal == ""
    assert documented_operators(name) == operators_of(candidate.graph)


def test_a_variant_is_tried_without_a_bundle_and_its_operators_are_counted() -> None:
    arguments = ["--variant", "efficientnet-lite0", "--precision", "fp16", "--operators"]

    result = CliRunner().invoke(gate, arguments, standalone_mode=False)

    assert result.return_value == 0, result.output
    cells = r"384×512, 512×384 \| [\d.]+ \| [\d.]+ s, [\d.]+ MB \|"
    assert re.search(rf"^\| `efficientnet-lite0` \| {cells}$", result.output, re.MULTILINE)
    assert counted_in(result.output, "efficientnet-lite0") == documented_operators("efficientnet-lite0")


def test_the_gate_wants_something_to_try() -> None:
    result = CliRunner().invoke(gate, [])

    assert result.exit_code == 2
    assert "Give bundles, or variants by --variant NAME" in result.output


def test_a_precision_that_needs_photographs_is_a_refusal(bundle: Bundle) -> None:
    trial = try_precision(bundled(bundle), open_runtime("tensorrt-rtx"), "int8")

    assert "int8 needs ranges from photographs" in str(trial)


def test_the_documented_operators_are_those_of_every_variant_and_of_the_embedded_graph(root: Path) -> None:
    street = operators_of(root / "service" / "bundles" / "street" / "model.onnx")

    assert all(documented_operators(name) for name in VARIANTS)
    assert documented_operators("efficientnet-lite0") == street


def documented_operators(variant: str) -> Counter[str]:
    return counted_in(ENGINES.read_text(encoding="utf-8"), variant)


def counted_in(page: str, variant: str) -> Counter[str]:
    """The variant's row of the table of operators."""
    lines = page.splitlines()
    titles = next(line for line in lines if line.startswith("| variant | Add |"))
    row = next(line for line in lines[lines.index(titles) :] if line.startswith(f"| `{variant}` |"))
    names, counts = ([cell.strip() for cell in line.strip("|").split("|")][1:] for line in (titles, row))
    return Counter({name: int(count) for name, count in zip(names, counts, strict=True) if count})


@pytest.mark.slow
def test_the_largest_network_exports_at_its_published_size_within_8_gb(tmp_path: Path) -> None:
    exported = export_stand_in(find_variant("hrnet48"), tmp_path / "hrnet48", 1, "1,2")

    assert exported.memory < EIGHT_GB
