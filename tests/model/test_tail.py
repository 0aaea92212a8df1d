"""The two grids, void classes, and scores."""

from dataclasses import replace

import pytest
import torch

from model.fit import Sizes
from model.grouping import VOID, instance_scores, panoptic
from model.network.panoptic_deeplab import Heads
from model.tail import finish
from model.variants import EFFICIENTNET_LITE0, Merging, Variant

ROAD, CAR, OTHER = 0, 13, 16
MERGING = Merging(stuff_area=1)


@pytest.fixture(scope="module")
def variant() -> Variant:
    """Heads at the input's own size, so that a test can say every pixel."""
    return replace(EFFICIENTNET_LITE0, stride=1)


def car_on_road(rows: int = 32, columns: int = 48) -> Heads:
    """A car in the left half with its center at (16, 12), road in the right half."""
    semantic = torch.zeros(1, 17, rows, columns)
    semantic[:, CAR, :, : columns // 2] = 9
    semantic[:, ROAD, :, columns // 2 :] = 9
    center = torch.zeros(1, 1, rows, columns)
    center[..., 16, 12] = 1
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return Heads(semantic, center, torch.stack((16 - y, 12 - x))[None].float())


def labels(heads: Heads, variant: Variant, output: tuple[int, int], grid: str) -> torch.Tensor:
    sizes = Sizes(input=(32, 48), fitted=(32, 48), output=output)
    return finish(heads, variant, sizes, merging=MERGING, grid=grid).labels  # type: ignore[arg-type]


@pytest.mark.parametrize("grid", ["input", "output"])
def test_a_car_on_a_road_is_one_car_and_one_road(variant: Variant, grid: str) -> None:
    found = labels(car_on_road(), variant, (32, 48), grid)

    assert found[:, :24].unique().tolist() == [CAR * 1000 + 1]
    assert found[:, 24:].unique().tolist() == [ROAD]


def test_the_grids_agree_where_photograph_and_input_have_one_size(variant: Variant) -> None:
    generator = torch.Generator().manual_seed(0)
    heads = Heads(
        torch.randn(1, 17, 32, 48, generator=generator),
        torch.rand(1, 1, 32, 48, generator=generator),
        torch.randn(1, 2, 32, 48, generator=generator) * 9,
    )

    assert torch.equal(labels(heads, variant, (32, 48), "input"), labels(heads, variant, (32, 48), "output"))


def test_the_input_grid_finds_the_same_objects_at_every_size(variant: Variant) -> None:
    sizes = [(16, 24), (32, 48), (97, 145), (320, 480)]

    found = [labels(car_on_road(), variant, size, "input").unique().tolist() for size in sizes]

    assert found == [[ROAD, CAR * 1000 + 1]] * len(sizes)


def test_a_class_that_is_void_is_answered_as_void(variant: Variant) -> None:
    heads = car_on_road()
    heads.semantic[:, OTHER, :, 24:] = 99

    assert labels(heads, variant, (32, 48), "input")[:, 24:].unique().tolist() == [VOID]


def test_things_without_a_center_are_void(variant: Variant) -> None:
    heads = car_on_road()._replace(center=torch.zeros(1, 1, 32, 48))

    assert labels(heads, variant, (32, 48), "input")[:, :24].unique().tolist() == [VOID]


def test_padding_takes_no_part(variant: Variant) -> None:
    heads = car_on_road()
    heads.center[..., 30, 40] = 1  # in the padding
    sizes = Sizes(input=(32, 48), fitted=(24, 24), output=(24, 24))

    found = finish(heads, variant, sizes, merging=MERGING, grid="input").labels

    assert found.unique().tolist() == [CAR * 1000 + 1]


def test_an_even_kernel_is_refused() -> None:
    flat = torch.zeros(4, 4)

    with pytest.raises(ValueError, match="nms_kernel is 4, it must be odd"):
        panoptic(flat.long(), flat, torch.zeros(2, 4, 4), things=(), threshold=0.1, nms_kernel=4, top_k=5,
                 stuff_area=0, label_divisor=1000)  # fmt: skip


def test_a_score_is_the_classs_probability_times_the_heat_at_the_centroid() -> None:
    found = torch.tensor([[1001, 1001, 1001]])
    logits = torch.tensor([[[0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]]])
    heat = torch.tensor([[0.1, 0.8, 0.1]])

    assert instance_scores(found, logits, heat, things=(1,), divisor=1000) == {1001: pytest.approx(0.4)}
