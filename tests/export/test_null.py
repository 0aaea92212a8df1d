"""The null bundle: lawful, proved, and blind to the photograph."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export import ExportError
from export.commands.null import null
from export.goldens import read_golden
from export.null import write_null_bundle
from export.verify import prove_bundle
from model.bundle import Bundle, read_bundle

SIZE, INSTANCES = (64, 128), 5


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Made by the command itself."""
    out = tmp_path_factory.mktemp("bundles") / "null"
    null.main(["--out", str(out), "--size", "64x128", "--instances", str(INSTANCES)], standalone_mode=False)
    return read_bundle(out)


def test_every_proof_of_a_bundle_holds_for_it(blind: Bundle) -> None:
    assert [check for check in prove_bundle(blind.path, None, []) if not check.holds] == []


def test_its_expected_answer_has_the_instances_that_were_asked_for(blind: Bundle) -> None:
    _, expected = read_golden(blind, blind.manifest.goldens[0])

    divisor = blind.manifest.merging.label_divisor
    ids = np.unique(expected[expected > 0])
    assert sum(blind.manifest.categories[(number - 1) // divisor].isthing for number in ids) == INSTANCES


def test_it_says_of_itself_that_nothing_was_trained(blind: Bundle) -> None:
    assert blind.manifest.name == "null"
    assert blind.manifest.source.flavour == "own"
    assert "constants" in blind.manifest.certificate.weights


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"classes": 20}, "17, 19, 133"),
        ({"instances": 400}, "no room"),
        ({"size": (60, 128)}, "multiples of 16"),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=words):
        write_null_bundle(tmp_path / "null", **{"size": SIZE, "instances": INSTANCES, "classes": 19, **wrong})
