from pathlib import Path

import numpy as np
import pytest

from model.curriculum import IGNORE, load_curriculum
from model.curriculum.truth import UNKNOWN_INSTANCE
from model.training.datasets import PanopticFolder, Sample

STREET = load_curriculum("street")


@pytest.fixture
def sample(data: Path) -> Sample:
    return PanopticFolder(data / "scenes", STREET, "coco")[0]


def test_a_sample_carries_the_photograph_and_codes_of_its_size(sample: Sample) -> None:
    assert sample.image.shape == (3, 60, 80)
    assert sample.codes.shape == sample.instances.shape == (60, 80)


def test_unlabelled_pixels_are_ignored(sample: Sample) -> None:
    assert (sample.codes[:2, :2] == IGNORE).all()


def test_a_crowd_keeps_its_class_and_loses_its_instance(sample: Sample) -> None:
    crowd = np.s_[50:58, 60:75]
    assert (sample.codes[crowd] == 11).all()
    assert (sample.instances[crowd] == UNKNOWN_INSTANCE).all()


def test_an_instance_is_numbered_from_one(sample: Sample) -> None:
    assert sample.instances.max() == 1


def test_a_thing_that_is_not_ours_is_other_and_no_instance(sample: Sample) -> None:
    pizza = np.s_[45:50, 2:8]
    assert (sample.codes[pizza] == 16).all()
    assert (sample.instances[pizza] == 0).all()


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no panoptic\.json"):
        PanopticFolder(tmp_path, STREET, "coco")


def test_an_unknown_data_set_is_refused_with_those_known(data: Path) -> None:
    with pytest.raises(ValueError, match="camvid, coco, labelmefacade"):
        PanopticFolder(data / "scenes", STREET, "kitti")
