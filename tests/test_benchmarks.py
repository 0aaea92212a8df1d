"""The table of what must be reached: what misses is told, and is the exit code."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.table import BEGIN, END, Row, _cost, _over_queue, between_marks, written
from service.bench.figures import Figures

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


def test_a_figure_of_several_runs_is_their_median(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    today = iter((20.0, 90.0, 25.0))

    def measure(seconds: float) -> Iterator[Row]:
        yield replace(ROWS[0], today=next(today))
        yield ROWS[2]

    monkeypatch.setattr(table, "measure", measure)

    assert table.main(["--runs", "3"]) == 0
    told = capsys.readouterr().out
    assert "runs of 20 s, medians of 3" in told
    assert "| cost | 25 | ≤ 30 | 18 | reached |\n| ratio | see" in told


def test_without_a_run_nothing_is_called_reached(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        table.main(["--runs", "0"])

    assert ended.value.code == 2
    assert "--runs is 0" in capsys.readouterr().err


def test_the_table_tells_what_is_missed_reached_and_measured_elsewhere() -> None:
    lines = written(ROWS).splitlines()[2:]

    assert lines[0] == "| cost | 40 | ≤ 30 | 18 | **missed** |"
    assert lines[1] == "| memory | 200 | ≤ 500 | 300 | reached |"
    assert lines[2] == "| ratio | see benchmarks/peers | ≥ 1 | 2 |  |"


def test_the_page_of_the_docs_has_room_for_the_table() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")

    assert f"{BEGIN}\n\nnew\n\n{END}" in between_marks(page, "new")


class Played:
    """A trial whose runs are given: of a server with 200 images a second, 10 ms each."""

    seed = 0

    def __init__(self, *, p99_ms: float | None = 30.0, costs: tuple[float, ...] = (8.0,)):
        self.p99_ms, self.costs = p99_ms, list(costs)

    def closed(self, connections: int, seconds: float) -> Figures:
        self.costs.append(cost := self.costs.pop(0))
        return figures("closed", 200.0, cost, None)

    def open(self, rate: float, seconds: float) -> Figures:
        return figures("open", rate, 8.0, self.p99_ms)


def figures(loop: str, images_per_s: float, cpu_ms: float, p99_ms: float | None) -> Figures:
    return Figures(loop, 8, 5.0, 1000, images_per_s, 10.0, 20.0, p99_ms, 50.0, {}, cpu_ms, 400.0)


def over(trial: Played) -> float:
    return _over_queue(trial, 0.6, 5.0, 8.0)  # type: ignore[arg-type]


def test_a_p99_is_set_over_that_of_a_queue_and_twice_the_p99_is_twice_the_ratio() -> None:
    assert over(Played(p99_ms=60.0)) == pytest.approx(2 * over(Played(p99_ms=30.0)))


def test_where_nothing_is_answered_the_ratio_is_infinite() -> None:
    assert over(Played(p99_ms=None)) == float("inf")


def test_a_cost_is_the_median_of_its_runs() -> None:
    assert _cost(Played(costs=(8.0, 7.0, 30.0, 7.5, 6.0)), 5.0) == 7.5  # type: ignore[arg-type]
