"""The table of faults, a plugin of pytest: what a test records stands there when all tests are done."""

from collections.abc import Callable
from dataclasses import astuple, dataclass

import pytest

COLUMNS = ("fault", "tries", "lost", "wrong", "slowest", "memory")


@dataclass(frozen=True)
class Row:
    """How a fault went."""

    fault: str
    tries: int
    lost: int  # requests that were accepted and got no answer
    wrong: int  # answers that were not what they had to be
    slowest_s: float = 0.0
    memory_mb: float = 0.0  # growth of the server's, or its highest where it was bounded

    def cells(self) -> tuple[str, ...]:
        fault, tries, lost, wrong, slowest_s, memory_mb = astuple(self)
        return fault, str(tries), str(lost), str(wrong), f"{slowest_s:.2f} s", f"{memory_mb:.0f} MB"


Record = Callable[[Row], None]

_ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture
def record(pytestconfig: pytest.Config) -> Record:
    """Add a row to the table."""
    return pytestconfig.stash.setdefault(_ROWS, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = [COLUMNS, *(row.cells() for row in config.stash.get(_ROWS, []))]
    if len(rows) == 1:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    terminalreporter.section("faults")
    for name, *figures in rows:
        cells = [
            name.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=True)),
        ]
        terminalreporter.write_line("  ".join(cells))
