"""What the faults need: a bundle, a picture, and the table that tells at the end how each fault went."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from model.bundle import Bundle
from tests.faults.sick_server import MARK
from tests.service.toy import BUCKETS, CAR, ROAD, SKY, Thing, golden_scene, paint, write_toy

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


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_toy(tmp_path_factory.mktemp("bundles") / "toy")


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A PNG that every sound engine answers."""
    return png(golden_scene())


@pytest.fixture(scope="session")
def poison() -> bytes:
    """A PNG that harms a sick engine."""
    scene = paint((SKY, ROAD), [Thing(CAR, 40, 40, 32, 24)], BUCKETS[0])
    scene[:8, :8] = MARK
    return png(scene)


def png(pixels: object) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")  # type: ignore[arg-type]
    return file.getvalue()


def toy_arguments(bundle: Bundle | Path) -> tuple[str, str]:
    path = bundle.path if isinstance(bundle, Bundle) else bundle
    return "--bundle", str(path)
