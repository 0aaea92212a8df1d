"""What the faults need: a bundle, and pictures that harm nobody or a sick engine."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from model.bundle import Bundle
from tests.faults.sick_server import MARK
from tests.service.toy import BUCKETS, CAR, ROAD, SKY, Thing, golden_scene, paint, write_toy


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
