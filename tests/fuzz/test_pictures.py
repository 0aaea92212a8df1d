"""Mutated pictures: decoded or refused, each within a second of CPU time, and nothing grows."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.table import Record, Row
from tests.fuzz.decode import decode
from tests.fuzz.mutation import mutate
from tests.fuzz.seeds import FOLDER, seeds

ROOT = Path(__file__).parents[2]


def run(first: int, count: int) -> dict[str, Any]:
    """The report of so many pictures, in a process of their own."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.decode", str(first), str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    *numbers, last = ended.stdout.splitlines()
    assert ended.returncode == 0, f"picture {last}: exit code {ended.returncode}"
    assert len(numbers) == count
    report: dict[str, Any] = json.loads(last)
    return report


@pytest.mark.parametrize(("name", "content"), seeds(), ids=lambda each: each if isinstance(each, str) else "")
def test_every_seed_is_decoded(name: str, content: bytes) -> None:
    assert decode(content) == "decoded"


def test_the_seeds_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 200_000


def test_a_number_always_makes_the_same_picture() -> None:
    originals = [content for _, content in seeds()]

    assert [mutate(number, originals) for number in range(50)] == [
        mutate(number, originals) for number in range(50)
    ]


@pytest.mark.parametrize("count", [1000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_mutated_picture_is_decoded_or_refused(count: int, record: Record) -> None:
    report = run(0, count)

    findings, slowest_s, grown_mb = (report[name] for name in ("findings", "slowest_s", "grown_mb"))
    record(Row("fuzz: pictures, decoded", count, 0, len(findings), slowest_s, grown_mb))
    assert findings == {}
    assert report["outcomes"]["decoded"] > count / 20
    assert report["outcomes"]["ImageDamaged"] > count / 20
    assert grown_mb < 30
