"""A small data set in COCO's panoptic layout: road, sky and coloured cars with known truth."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.augmentation import Augmentation
from model.training.layouts import Source
from model.training.recipe import Recipe
from model.training.recipes import STREET
from model.training.scales import WithinRectangle

CATEGORIES = [
    {"id": 1, "name": "road", "isthing": 0},
    {"id": 2, "name": "sky-other-merged", "isthing": 0},
    {"id": 3, "name": "car", "isthing": 1},
    {"id": 4, "name": "pizza", "isthing": 1},
    {"id": 5, "name": "wall-brick", "isthing": 0},
]


def write_scene(folder: Path, number: int) -> dict[str, object]:
    """Draw one picture: sky above, road below, a brick wall between, two cars (one a crowd) and a pizza."""
    rng = np.random.default_rng(number)
    ids = np.full((60, 80), 2, np.int32)
    ids[30:] = 1
    ids[20:30, :10] = 5
    left = int(rng.integers(10, 20))
    ids[25:40, left : left + 20] = 3
    ids[50:58, 60:75] = 4
    ids[45:50, 2:8] = 6
    ids[0:2, 0:2] = 0
    colors = np.array(
        [
            (0, 0, 0),
            (90, 90, 90),
            (120, 170, 250),
            (200, 30, 30),
            (30, 30, 200),
            (150, 80, 60),
            (240, 200, 90),
        ]
    )
    noise = rng.integers(-10, 10, (60, 80, 3))
    image = np.clip(colors[ids] + noise, 0, 255).astype(np.uint8)
    Image.fromarray(image).save(folder / "images" / f"{number}.jpg", quality=95)
    rgb = np.stack((ids & 255, ids >> 8 & 255, ids >> 16), axis=-1).astype(np.uint8)
    Image.fromarray(rgb).save(folder / "panoptic" / f"{number}.png")
    category = {1: 1, 2: 2, 3: 3, 4: 3, 5: 5, 6: 4}
    segments = [
        {"id": i, "category_id": c, "iscrowd": int(i == 4), "area": int((ids == i).sum())}
        for i, c in category.items()
    ]
    return {"image_id": number, "file_name": f"{number}.png", "segments_info": segments}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with one folder, `scenes`."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "scenes"
    (folder / "images").mkdir(parents=True)
    (folder / "panoptic").mkdir()
    annotations = [write_scene(folder, number) for number in range(4)]
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in range(4)]
    index = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    (folder / "panoptic.json").write_text(json.dumps(index))
    return root


@pytest.fixture
def recipe() -> Recipe:
    """The street recipe, made small enough for a test."""
    return replace(
        STREET,
        sources=(Source("scenes", "coco"),),
        validation=(Source("scenes", "coco"),),
        augmentation=Augmentation((64, 96), WithinRectangle((64, 96), 0.8, 1.2), colour=0.3, paste=0.5),
        steps=8,
        batch=2,
        warm_up=2,
        validate_every=1000,
    )
