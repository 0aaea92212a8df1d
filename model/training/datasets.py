"""Photographs with panoptic labels: an index in COCO's form, and PNGs that code ids as R + 256 G + 65536 B."""

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
from model.training.layouts import FOLDER, Layout, Source


@dataclass(frozen=True)
class Sample:
    """A photograph and what it teaches, at its own size."""

    image: Tensor  # (3, H, W) uint8 RGB
    codes: Tensor  # (H, W) uint8, codes of the curriculum
    instances: Tensor  # (H, W) int16, 0 outside of things, UNKNOWN_INSTANCE where not known
    instance_weight: float


class PanopticFolder:
    """One data set, read through one part of a curriculum."""

    def __init__(
        self,
        folder: Path,
        curriculum: Curriculum,
        data_set: str,
        layout: Layout = FOLDER,
        most: int | None = None,
    ):
        """Index the folder.

        Raises: ValueError: a piece of the layout is missing, or the curriculum does not know the data set.
        """
        if data_set not in curriculum.data_sets:
            known = ", ".join(sorted(curriculum.data_sets))
            raise ValueError(f"the curriculum knows nothing of data set {data_set!r}; it knows {known}")
        require_pieces(folder, layout)
        found = json.loads((folder / layout.index).read_text(encoding="utf-8"))
        self.folder, self.layout = folder, layout
        self.teaching = curriculum.data_sets[data_set]
        self.things = curriculum.things()
        self.names = {category["id"]: category["name"] for category in found["categories"]}
        self.files = {image["id"]: image["file_name"] for image in found["images"]}
        self.annotations = sorted(found["annotations"], key=lambda annotation: annotation["image_id"])[:most]
        self._kept: dict[int, Sample] = {}
        self._require_files()

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        if index in self._kept:
            return self._kept[index]
        sample = self._read(index)
        if self.layout.keep:
            self._kept[index] = sample
        return sample

    def image_path(self, index: int) -> Path:
        """The photograph's file."""
        image_id = self.annotations[index]["image_id"]
        name = self.layout.photograph.format(
            file_name=self.files[image_id], image_id=image_id, city=str(image_id).split("_")[0]
        )
        return self.folder / self.layout.photographs / name

    def _label_path(self, index: int) -> Path:
        return self.folder / self.layout.labels / self.annotations[index]["file_name"]

    def _require_files(self) -> None:
        """A file that is not there is told now, not hours into a training."""
        for place, remedy in (
            (self.image_path, self.layout.photograph_remedy),
            (self._label_path, self.layout.label_remedy),
        ):
            missing = [path for index in range(len(self)) if not (path := place(index)).is_file()]
            if missing:
                raise ValueError(
                    f"{len(missing)} of the {len(self)} files that {self.layout.index} speaks of are missing, "
                    f"{missing[0]} the first of them. {remedy}"
                )

    def _read(self, index: int) -> Sample:
        annotation = self.annotations[index]
        image = np.array(Image.open(self.image_path(index)).convert("RGB"))
        ids = read_ids(self._label_path(index))
        codes, instances = teach(ids, annotation["segments_info"], self.names, self.teaching, self.things)
        return Sample(
            image=torch.from_numpy(image).permute(2, 0, 1).contiguous(),
            codes=torch.from_numpy(codes),
            instances=torch.from_numpy(instances),
            instance_weight=self.teaching.instance_weight,
        )


def open_source(source: Source, data: Path, curriculum: Curriculum) -> PanopticFolder:
    """Open a recipe's source under the data directory.

    Raises: ValueError: as `PanopticFolder`.
    """
    return PanopticFolder(
        data / source.folder, curriculum, source.data_set, source.layout or FOLDER, source.most
    )


def require_pieces(folder: Path, layout: Layout) -> None:
    """Find the index and both directories.

    Raises: ValueError: one is missing; the message says what makes it.
    """
    for piece, remedy in (
        (layout.index, layout.label_remedy),
        (layout.labels, layout.label_remedy),
        (layout.photographs, layout.photograph_remedy),
    ):
        if not (folder / piece).exists():
            raise ValueError(
                f"{folder} is no data set in the layout {layout.name}: it has no {piece}. {remedy}"
            )


def read_ids(path: Path) -> NDArray[np.int32]:
    """Read a COCO panoptic PNG: (H, W) ids."""
    rgb = np.array(Image.open(path).convert("RGB")).astype(np.int32)
    ids: NDArray[np.int32] = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]
    return ids
