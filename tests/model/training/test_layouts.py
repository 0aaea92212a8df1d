import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.curriculum import IGNORE, load_curriculum
from model.curriculum.truth import UNKNOWN_INSTANCE
from model.training.datasets import PanopticFolder, Sample, open_source
from model.training.layouts import Layout, Source, cityscapes, coco
from tests.model.training.official import write_cityscapes, write_coco

CAR = {"cityscapes": 13, "coco": 2}
WRITERS: dict[str, Callable[[Path], Path]] = {"cityscapes": write_cityscapes, "coco": write_coco}
TRAIN: dict[str, Layout] = {"cityscapes": cityscapes("train"), "coco": coco("train2017")}


@pytest.fixture(params=WRITERS)
def data_set(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(data_set: str, tmp_path: Path) -> Path:
    return WRITERS[data_set](tmp_path)


def open_training(data_set: str, root: Path) -> PanopticFolder:
    return open_source(Source(".", data_set, layout=TRAIN[data_set]), root, load_curriculum(data_set))


@pytest.fixture
def sample(data_set: str, root: Path) -> Sample:
    return open_training(data_set, root)[0]


def test_a_car_of_the_official_layout_is_an_instance_of_its_class(data_set: str, sample: Sample) -> None:
    car = np.s_[34:50, 10:34]
    assert (sample.codes[car] == CAR[data_set]).all()
    assert (sample.instances[car] == 1).all()


def test_a_crowd_of_the_official_layout_teaches_its_class_alone(data_set: str, sample: Sample) -> None:
    crowd = np.s_[30:34, 80:120]
    assert (sample.codes[crowd] == CAR[data_set]).all()
    assert (sample.instances[crowd] == UNKNOWN_INSTANCE).all()


def test_what_the_official_layout_leaves_out_is_ignored(sample: Sample) -> None:
    assert (sample.codes[-2:] == IGNORE).all()


def test_photographs_of_a_large_data_set_are_not_kept_in_memory(data_set: str, root: Path) -> None:
    folder = open_training(data_set, root)
    assert folder[0] is not folder[0]


def test_a_source_may_take_the_first_photographs_only(root: Path, data_set: str) -> None:
    source = Source(".", data_set, layout=TRAIN[data_set], most=1)
    assert len(open_source(source, root, load_curriculum(data_set))) == 1


@pytest.mark.parametrize(
    ("data_set", "piece", "remedy"),
    [
        ("cityscapes", "gtFine/cityscapes_panoptic_train.json", "csCreatePanopticImgs --dataset-folder"),
        ("cityscapes", "gtFine/cityscapes_panoptic_train", "csCreatePanopticImgs --dataset-folder"),
        ("cityscapes", "leftImg8bit/train", "csDownload leftImg8bit_trainvaltest.zip"),
        ("coco", "annotations/panoptic_train2017.json", "panoptic_annotations_trainval2017.zip"),
        ("coco", "annotations/panoptic_train2017", "panoptic_train2017.zip"),
        ("coco", "train2017", "train2017.zip"),
    ],
    indirect=["data_set"],
)
def test_a_missing_piece_is_named_with_what_makes_it(
    data_set: str, root: Path, piece: str, remedy: str
) -> None:
    path = root / piece
    path.unlink() if path.is_file() else shutil.rmtree(path)
    with pytest.raises(ValueError, match=f"it has no {piece}.*{remedy}"):
        open_training(data_set, root)


def test_a_missing_photograph_is_named_before_training_begins(data_set: str, root: Path) -> None:
    path = open_training(data_set, root).image_path(1)
    path.unlink()
    with pytest.raises(ValueError, match=f"1 of the 2 files .* are missing, .*{path.name}"):
        open_training(data_set, root)
