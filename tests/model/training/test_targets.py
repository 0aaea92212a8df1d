from dataclasses import replace
from typing import Literal

import pytest
import torch

from model.curriculum import IGNORE
from model.curriculum.truth import UNKNOWN_INSTANCE
from model.training.datasets import Sample
from model.training.targets import TargetSpec, make_targets

SPEC = TargetSpec(sigma=4.0, small_area=50, small_weight=3.0)


def sample(weight: float = 1.0) -> Sample:
    codes = torch.zeros(32, 40, dtype=torch.uint8)
    instances = torch.zeros(32, 40, dtype=torch.int16)
    codes[10:21, 5:16], instances[10:21, 5:16] = 11, 1  # 121 pixels around (15, 10)
    codes[25:28, 30:33], instances[25:28, 30:33] = 11, 2  # 9 pixels around (26, 31)
    codes[0:3, 30:40], instances[0:3, 30:40] = 11, UNKNOWN_INSTANCE
    codes[:, 39] = IGNORE
    return Sample(torch.zeros(3, 32, 40, dtype=torch.uint8), codes, instances, weight)


def test_heat_is_one_at_each_center() -> None:
    heat = make_targets(sample(), SPEC).center[0]
    assert heat[15, 10] == heat[26, 31] == 1


@pytest.mark.parametrize(("centroid", "row"), [("rounded", 16), ("truncated", 15)])
def test_a_mean_between_pixels_is_rounded_or_cut_off(
    centroid: Literal["rounded", "truncated"], row: int
) -> None:
    codes = torch.zeros(32, 40, dtype=torch.uint8)
    instances = torch.zeros(32, 40, dtype=torch.int16)
    codes[12:20, 5:16], instances[12:20, 5:16] = 11, 1  # rows 12 to 19, around 15.5
    shown = Sample(torch.zeros(3, 32, 40, dtype=torch.uint8), codes, instances, 1.0)
    targets = make_targets(shown, replace(SPEC, centroid=centroid))
    assert targets.center[0, :, 10].argmax() == row
    assert targets.offset[0, 12, 5] == 3.5


def test_heat_falls_as_a_gaussian() -> None:
    heat = make_targets(sample(), SPEC).center[0]
    torch.testing.assert_close(heat[15, 14], torch.tensor(-0.5).exp())


def test_pixel_plus_offset_is_the_center() -> None:
    offset = make_targets(sample(), SPEC).offset
    assert 10 + offset[0, 10, 5] == 15
    assert 5 + offset[1, 10, 5] == 10


def test_offsets_teach_on_instances_alone() -> None:
    weight = make_targets(sample(), SPEC).offset_weight[0]
    assert weight.sum() == 121 + 9


def test_unlabelled_pixels_and_unknown_instances_teach_no_center() -> None:
    weight = make_targets(sample(), SPEC).center_weight[0]
    assert weight[0, 30] == weight[20, 39] == 0
    assert weight[15, 10] == weight[31, 0] == 1


def test_small_instances_weigh_more_in_the_semantic_loss() -> None:
    weight = make_targets(sample(), SPEC).semantic_weight
    assert weight[26, 31] == 3
    assert weight[15, 10] == 1


def test_doubtful_instances_weigh_less() -> None:
    targets = make_targets(sample(weight=0.5), SPEC)
    assert targets.center_weight.max() == targets.offset_weight.max() == 0.5
