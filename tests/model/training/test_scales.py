from collections import Counter

import pytest
import torch

from model.training.scales import Factor, Scale, ShortestEdge, WithinRectangle, draw_size, shrink_scale


def drawn(size: tuple[int, int], scale: Scale, times: int = 400) -> Counter[tuple[int, int]]:
    torch.manual_seed(0)
    return Counter(draw_size(size, scale) for _ in range(times))


def test_the_shorter_edge_takes_every_length_and_no_other() -> None:
    edges = drawn((1024, 2048), ShortestEdge((512, 1024, 1536), longest=4096))
    assert set(edges) == {(512, 1024), (1024, 2048), (1536, 3072)}


def test_the_longer_edge_is_never_longer_than_allowed() -> None:
    assert set(drawn((480, 640), ShortestEdge((320, 960), longest=640))) == {(320, 427), (480, 640)}


def test_a_factor_is_one_of_an_even_range_with_both_ends() -> None:
    sizes = drawn((100, 200), Factor(0.5, 2.0, 0.1))
    assert {rows for rows, _ in sizes} == set(range(50, 201, 10))


def test_within_a_rectangle_factors_stay_between_their_bounds() -> None:
    sizes = drawn((300, 200), WithinRectangle((200, 300), 0.5, 2.0))
    rows = [size[0] for size in sizes]
    assert 150 <= min(rows) < 160
    assert 590 < max(rows) <= 600


@pytest.mark.parametrize(
    "scale", [WithinRectangle((384, 512), 0.5, 1.5), ShortestEdge((512, 1024), 4096), Factor(0.5, 2.0, 0.1)]
)
def test_a_smaller_scale_draws_the_same_sizes_smaller(scale: Scale) -> None:
    torch.manual_seed(0)
    rows, columns = draw_size((512, 1024), scale)
    torch.manual_seed(0)
    assert draw_size((512, 1024), shrink_scale(scale, 0.25)) == pytest.approx((rows / 4, columns / 4), abs=1)
