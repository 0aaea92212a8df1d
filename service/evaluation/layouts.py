"""Layouts of data sets, recognised by what a directory holds."""

from collections.abc import Callable, Mapping
from pathlib import Path

from service.evaluation.cityscapes import PHOTOGRAPHS, open_cityscapes
from service.evaluation.coco import open_coco, open_folder
from service.evaluation.truth import DataSet, DataSetError

LAYOUTS: Mapping[str, Callable[[Path], DataSet]] = {
    "cityscapes": open_cityscapes,
    "coco": open_coco,
    "folder": open_folder,
}
_MARKS = {
    "cityscapes": PHOTOGRAPHS,
    "coco": Path("annotations", "panoptic_val2017.json"),
    "folder": Path("panoptic.json"),
}


def open_data_set(path: Path, layout: str | None = None) -> DataSet:
    """Open a data set, in the layout that is stated or else recognised.

    Raises: DataSetError: it is no data set, or holds no photographs.
    """
    data = LAYOUTS[layout or recognise(path)](path)
    if not data.items:
        raise DataSetError(f"{path} has no photographs with labels in its layout, {data.layout}.")
    names = [item.name for item in data.items]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataSetError(f"{path} lists {twice} twice; a photograph is judged once.")
    return data


def recognise(path: Path) -> str:
    """Name the layout of a directory.

    Raises: DataSetError: it has none that is known.
    """
    if not path.is_dir():
        raise DataSetError(f"{path} is no directory. Name the directory of a data set.")
    for layout, mark in _MARKS.items():
        if (path / mark).exists():
            return layout
    sought = ", ".join(f"{mark} ({layout})" for layout, mark in _MARKS.items())
    raise DataSetError(f"{path} is no data set of a known layout: it has none of {sought}.")
