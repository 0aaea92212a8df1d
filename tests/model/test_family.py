"""Every published variant against its source: names, counts, answers, and its line in the docs."""

from pathlib import Path

import pytest

from model.parity.findings import Finding
from model.parity.names import VARIANT_NAMES
from model.parity.report import NONE, facts, family_table
from model.parity.walk import compare_golden, walk_keys
from model.variants import EFFICIENTNET_LITE0, VARIANTS, Variant

GOLDENS = Path(__file__).parent.parent / "goldens"
NETWORKS = sorted(path.stem for path in GOLDENS.glob("*-*.npz"))


@pytest.mark.parametrize("golden", NETWORKS)
def test_a_network_answers_as_its_source_does(golden: str) -> None:
    findings = list(compare_golden(GOLDENS / f"{golden}.npz", GOLDENS / "keys"))

    assert [row for row in findings if not (isinstance(row, Finding) and row.holds)] == []
    assert len(findings) == 5


@pytest.fixture(scope="module")
def manifests() -> list[Finding]:
    return [row for row in walk_keys(GOLDENS / "keys") if isinstance(row, Finding)]


def test_the_converters_give_every_name_and_shape_of_every_source(manifests: list[Finding]) -> None:
    names = [row for row in manifests if row.what == "names and shapes"]

    assert [row for row in names if not row.holds] == []
    assert len(names) == len(VARIANT_NAMES)


def test_every_count_of_parameters_is_its_sources(manifests: list[Finding]) -> None:
    counts = [row for row in manifests if row.what == "parameters"]

    assert [row for row in counts if not row.holds] == []
    assert len(counts) >= 24


def test_every_published_variant_has_a_source_and_a_golden() -> None:
    with_golden = {
        ours
        for (flavour, name), ours in VARIANT_NAMES.items()
        if any(golden.startswith(f"{flavour}-{name}-1") for golden in NETWORKS)
    }

    assert with_golden == {name for name, variant in VARIANTS.items() if variant.flavour != "own"}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=lambda variant: variant.name)
def test_the_docs_tell_a_variant_as_the_data_do(root: Path, variant: Variant) -> None:
    page = (root / "docs" / "model.md").read_text(encoding="utf-8")

    assert f"\n| {' | '.join(facts(variant))} |" in page


def test_the_table_tells_the_worst_of_a_variants_goldens() -> None:
    rows = [
        finding(golden, what, value)
        for golden, difference in (("a", 1e-6), ("b", 3e-6))
        for what, value in (("semantic", difference), ("semantic_argmax", 1.0), ("panoptic", 1 - difference))
    ]

    *_, line = family_table(rows, [VARIANTS["mnasnet-os32"]])

    assert line.endswith("| 2 | 3.0e-06 | 100.000% | 100.000% |")


def test_a_variant_without_goldens_says_so() -> None:
    *_, line = family_table([], [EFFICIENTNET_LITE0])

    assert line.endswith(f"{NONE} | {NONE} | {NONE} | {NONE} |")


def finding(golden: str, what: str, value: float) -> Finding:
    return Finding(golden, what, "", "", True, "mnasnet-os32", value)
