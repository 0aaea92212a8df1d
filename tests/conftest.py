"""What all tests share."""

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

pytest_plugins = ["tests.faults.table"]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def photo() -> Path:
    """A real photograph, JPEG, 640 x 427: china.jpg by danielbuechele, CC BY 2.0."""
    return Path(str(files("sklearn") / "datasets" / "images" / "china.jpg"))


@pytest.fixture(autouse=True, scope="session")
def without_own_settings() -> Iterator[None]:
    """Take the developer's PANOPTIC_* variables away: they would steer every server that a test starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PANOPTIC_")]:
            patch.delenv(name)
        yield
