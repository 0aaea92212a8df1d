"""Where photographs and labels lie in a data set's folder, and what makes a piece that is missing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """Paths under the folder of a data set; the index and the label PNGs are COCO's panoptic ones."""

    name: str
    index: str
    labels: str
    photographs: str
    label_remedy: str  # a sentence: what makes index and labels
    photograph_remedy: str
    photograph: str = "{file_name}"  # one, under `photographs`: of its file_name, or of its image_id and city
    keep: bool = False  # decoded photographs stay in memory, for data sets small enough


@dataclass(frozen=True)
class Source:
    """A folder under the data directory, read as a part of the curriculum."""

    folder: str
    data_set: str
    weight: float = 1.0  # how often its photographs are drawn, against the other sources
    layout: Layout | None = None  # None: `FOLDER`
    most: int | None = None  # photographs, the first ones by name; None: all

    @property
    def name(self) -> str:
        """What figures are written under."""
        return self.layout.name if self.layout else self.folder


FOLDER = Layout(
    name="COCO's panoptic layout",
    index="panoptic.json",
    labels="panoptic",
    photographs="images",
    label_remedy="docs/training.md, section Data, tells what such a folder holds.",
    photograph_remedy="docs/training.md, section Data, tells what such a folder holds.",
    keep=True,
)


def cityscapes(split: str) -> Layout:
    """Cityscapes as it unpacks, with the panoptic labels that its own scripts write beside the instance ids.

    The index names photographs as they are not called, so they are found by id.
    """
    return Layout(
        name=f"cityscapes/{split}",
        index=f"gtFine/cityscapes_panoptic_{split}.json",
        labels=f"gtFine/cityscapes_panoptic_{split}",
        photographs=f"leftImg8bit/{split}",
        photograph="{city}/{image_id}_leftImg8bit.png",
        label_remedy="`csCreatePanopticImgs --dataset-folder DATA/gtFine` of the package cityscapesscripts makes it.",
        photograph_remedy="`csDownload leftImg8bit_trainvaltest.zip` of the package cityscapesscripts fetches it.",
    )


def coco(split: str) -> Layout:
    """COCO 2017 as it unpacks, with its panoptic annotations."""
    return Layout(
        name=f"coco/{split}",
        index=f"annotations/panoptic_{split}.json",
        labels=f"annotations/panoptic_{split}",
        photographs=split,
        label_remedy="It is in panoptic_annotations_trainval2017.zip of cocodataset.org, "
        f"whose panoptic_{split}.zip `unzip` unpacks within annotations/.",
        photograph_remedy=f"It is in {split}.zip of cocodataset.org, which `unzip` unpacks.",
    )
