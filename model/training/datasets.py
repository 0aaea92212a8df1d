"""Photographs with panoptic labels in COCO's layout.

A folder holds `panoptic.json`, `images/` and `panoptic/`; the label PNGs code ids as R + 256 G + 65536 B.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from model.curriculum import Curriculum
from model.curriculum.truth import teach


@dataclass(frozen=True)
class Sample:
    """A photograph and what it teaches, at its own size."""

    image: Tensor  # (3, H, W) uint8 RGB
    codes: Tensor  # (H, W) uint8, codes of the curriculum
    instances: Tensor  # (H, W) int16, 0 outside of things, UNKNOWN_INSTANCE where not known
    instance_weight: float


class PanopticFolder:
    """One folder in COCO's layout, read through one part of a curriculum; decoded samples are kept in memory."""

    def __init__(self, folder: Path, curriculum: Curriculum, data_set: str):
        """Index the folder.

        Raises: ValueError: it has no panoptic.json, or the curriculum does not know the data set.
        """
        index = folder / "panoptic.json"
        if not index.is_file():
            raise ValueError(f"{folder} is no data set in COCO's panoptic layout: it has no panoptic.json")
        if data_set not in curriculum.data_sets:
            known = ", ".join(sorted(curriculum.data_sets))
            raise ValueError(f"the curriculum knows nothing of data set {data_set!r}; it knows {known}")
        found = json.loads(index.read_text(encoding="utf-8"))
        self.folder = folder
        self.teaching = curriculum.data_sets[data_set]
        self.things = curriculum.things()
        self.names = {category["id"]: category["name"] for category in found["categories"]}
        self.files = {image["id"]: image["file_name"] for image in found["images"]}
        self.annotations = sorted(found["annotations"], key=lambda annotation: annotation["image_id"])
        self._kept: dict[int, Sample] = {}

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        if index not in self._kept:
            self._kept[index] = self._read(index)
        return self._kept[index]

    def image_path(self, index: int) -> Path:
        """The photograph's file."""
        return self.folder / "images" / self.files[self.annotations[index]["image_id"]]

    def _read(self, index: int) -> Sample:
        annotation = self.annotations[index]
        image = np.array(Image.open(self.image_path(index)).convert("RGB"))
        ids = read_ids(self.folder / "panoptic" / annotation["file_name"])
        codes, instances = teach(ids, annotation["segments_info"], self.names, self.teaching, self.things)
        return Sample(
            image=torch.from_numpy(image).permute(2, 0, 1).contiguous(),
            codes=torch.from_numpy(codes),
            instances=torch.from_numpy(instances),
            instance_weight=self.teaching.instance_weight,
        )


def read_ids(path: Path) -> NDArray[np.int32]:
    """Read a COCO panoptic PNG: (H, W) ids."""
    rgb = np.array(Image.open(path).convert("RGB")).astype(np.int32)
    ids: NDArray[np.int32] = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]
    return ids
