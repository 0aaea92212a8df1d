"""Two street scenes and one for validation, written as Cityscapes' scripts and as COCO lay them out."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

ROWS, COLUMNS = 64, 128
CITYSCAPES = [{"id": 7, "name": "road", "isthing": 0}, {"id": 23, "name": "sky", "isthing": 0},
              {"id": 26, "name": "car", "isthing": 1}]  # fmt: skip
COCO = [{"id": 149, "name": "road", "isthing": 0}, {"id": 187, "name": "sky-other-merged", "isthing": 0},
        {"id": 3, "name": "car", "isthing": 1}]  # fmt: skip


def draw(seed: int, road: int, sky: int, cars: tuple[int, int]) -> np.ndarray:
    """Segment ids of one scene: sky, road, a car, a row of cars that nobody counted; the frame is not labelled."""
    ids = np.full((ROWS, COLUMNS), sky, np.int32)
    ids[30:] = road
    left = 10 + seed
    ids[34:50, left : left + 24] = cars[0]
    ids[30:36, 80:120] = cars[1]
    ids[-2:] = 0
    return ids


def save(ids: np.ndarray, photograph: Path, label: Path) -> None:
    """Write a photograph coloured by its segments, and its label."""
    for path in (photograph, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 40, (ROWS, COLUMNS, 3))
    Image.fromarray((ids[..., None] * np.array((7, 31, 53)) % 200 + noise).astype(np.uint8)).save(photograph)
    rgb = np.stack((ids & 255, ids >> 8 & 255, ids >> 16), axis=-1).astype(np.uint8)
    Image.fromarray(rgb).save(label)


def segments(categories: dict[int, int], crowd: int) -> list[dict[str, int]]:
    """COCO's segments_info of {segment id: category id}."""
    return [{"id": i, "category_id": c, "iscrowd": int(i == crowd)} for i, c in categories.items()]


def write_cityscapes(root: Path) -> Path:
    """Write the splits train and val; the index misnames photographs as the scripts do."""
    for split, numbers in {"train": (0, 1), "val": (2,)}.items():
        images, annotations = [], []
        for number in numbers:
            image_id = f"aachen_{number:06}_000019"
            label = f"{image_id}_gtFine_panoptic.png"
            save(
                draw(number, road=7, sky=23, cars=(26001, 26)),
                root / f"leftImg8bit/{split}/aachen/{image_id}_leftImg8bit.png",
                root / f"gtFine/cityscapes_panoptic_{split}" / label,
            )
            images.append({"id": image_id, "file_name": f"{image_id}_gtFine_leftImg8bit.png"})
            info = segments({7: 7, 23: 23, 26001: 26, 26: 26}, crowd=26)
            annotations.append({"image_id": image_id, "file_name": label, "segments_info": info})
        index = {"images": images, "annotations": annotations, "categories": CITYSCAPES}
        (root / f"gtFine/cityscapes_panoptic_{split}.json").write_text(json.dumps(index))
    return root


def write_coco(root: Path) -> Path:
    """Write the splits train2017 and val2017."""
    for split, numbers in {"train2017": (0, 1), "val2017": (2,)}.items():
        images, annotations = [], []
        for number in numbers:
            photograph, label = f"{number:012}.jpg", f"{number:012}.png"
            save(
                draw(number, road=70_000, sky=600, cars=(9, 1000)),
                root / split / photograph,
                root / f"annotations/panoptic_{split}" / label,
            )
            images.append({"id": number, "file_name": photograph})
            info = segments({70_000: 149, 600: 187, 9: 3, 1000: 3}, crowd=1000)
            annotations.append({"image_id": number, "file_name": label, "segments_info": info})
        index = {"images": images, "annotations": annotations, "categories": COCO}
        (root / f"annotations/panoptic_{split}.json").write_text(json.dumps(index))
    return root
