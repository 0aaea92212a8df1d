import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.preparation.createPanopticImgs import convert2panoptic
from PIL import Image

from service.evaluation.cityscapes import open_cityscapes
from service.evaluation.layouts import open_data_set
from service.evaluation.truth import DataSet, DataSetError, TruthError
from tests.service.evaluation.sets import NAMES, scene, segments, write_cityscapes, write_coco, write_folder

KNOWN = [(row["id"], row["category_id"], bool(row["iscrowd"])) for row in segments(scene(0))]


def first(data: DataSet) -> tuple[list[int], list[tuple[int, int, bool]]]:
    truth = data.items[0].read()
    return truth.ids.ravel().tolist(), [(s.id, s.category_id, s.iscrowd) for s in truth.segments]


@pytest.mark.parametrize(
    ("layout", "write"),
    [
        ("folder", write_folder),
        ("coco", write_coco),
        ("cityscapes", lambda path: write_cityscapes(path, prepared=True)),
        ("cityscapes", lambda path: write_cityscapes(path, prepared=False)),
    ],
)
def test_a_layout_is_recognised_and_its_truth_read(
    layout: str, write: Callable[[Path], Path], tmp_path: Path
) -> None:
    data = open_data_set(write(tmp_path / "data"))

    assert (data.layout, len(data.items)) == (layout, len(NAMES))
    assert all(item.photograph.is_file() for item in data.items)
    assert first(data) == (scene(0).ravel().tolist(), KNOWN)


def test_instance_ids_become_what_the_official_script_makes_of_them(tmp_path: Path) -> None:
    data = write_cityscapes(tmp_path / "data", prepared=False)
    convert2panoptic(
        cityscapesPath=str(data / "gtFine"), outputFolder=str(tmp_path), useTrainId=False, setNames=["val"]
    )

    found = json.loads((tmp_path / "cityscapes_panoptic_val.json").read_text())["annotations"]
    official = {
        row["file_name"].removesuffix("_gtFine_panoptic.png"): {
            (s["id"], s["category_id"], bool(s["iscrowd"])) for s in row["segments_info"]
        }
        for row in found
    }

    ours = {
        item.name: {(s.id, s.category_id, s.iscrowd) for s in item.read().segments}
        for item in open_cityscapes(data).items
    }
    assert ours == official


@pytest.mark.parametrize("missing", ["panoptic.json", "images", "panoptic"])
def test_a_folder_that_lacks_a_part_is_refused_with_its_name(missing: str, tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data")
    part = data / missing
    shutil.rmtree(part) if part.is_dir() else part.unlink()

    with pytest.raises(DataSetError, match=missing):
        open_data_set(data, "folder")


def test_a_directory_of_no_layout_is_told_what_was_sought(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"leftImg8bit/val \(cityscapes\).*panoptic\.json \(folder\)"):
        open_data_set(tmp_path)


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data")
    (data / "panoptic.json").write_text('{"images": []}')

    with pytest.raises(DataSetError, match="categories"):
        open_data_set(data)


def test_labels_with_an_id_that_the_index_does_not_list_are_refused(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data")
    Image.fromarray(np.full((96, 128, 3), (5, 0, 0), np.uint8)).save(data / "panoptic" / f"{NAMES[0]}.png")

    with pytest.raises(TruthError, match="1 ids that the index does not list: 5"):
        open_data_set(data).items[0].read()
