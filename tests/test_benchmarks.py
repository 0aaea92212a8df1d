"""The table of what must be reached: what misses is told, and is the exit code."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.table import BEGIN, END, Row, between_marks, written

ROWS = [Row("cost", 40.0, 30, 18), Row("memory", 200.0, 500, 300), Row("ratio", None, 1, 2, more=True)]
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("rows", "code"), [(ROWS, 1), (ROWS[1:], 0)])
def test_a_figure_that_misses_is_the_exit_code(
    rows: list[Row], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(seconds: float) -> Iterator[Row]:
        yield from rows

    monkeypatch.setattr(table, "measure", measure)

    assert table.main([]) == code


def test_a_figure_of_which_more_is_better_misses_below() -> None:
    assert [Row("speed", today, 5, 8, more=True).misses for today in (4.9, 5.0, None)] == [True, False, False]


def test_the_table_tells_what_is_missed_reached_and_measured_elsewhere() -> None:
    lines = written(ROWS).splitlines()[2:]

    assert lines[0] == "| cost | 40 | ≤ 30 | 18 | **missed** |"
    assert lines[1] == "| memory | 200 | ≤ 500 | 300 | reached |"
    assert lines[2] == "| ratio | see benchmarks/peers | ≥ 1 | 2 |  |"


def test_the_page_of_the_docs_has_room_for_the_table() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")

    assert f"{BEGIN}\n\nnew\n\n{END}" in between_marks(page, "new")
