"""A graph gets the image pooling that its buckets need."""

import pytest
import torch

from export import ExportError
from export.certificate import run_network
from export.pictures import stand_in_picture
from export.pooling import pool_for, usual_buckets
from model.parity.stand_in import stand_in_network
from model.variants import EFFICIENTNET_LITE0, find_variant, with_pooling

WINDOW = (64, 96)  # pixels: 4 x 6 cells of stride 16


SLIDING = with_pooling(EFFICIENTNET_LITE0, (4, 6))


def test_buckets_of_at_least_the_window_keep_the_pooling() -> None:
    assert pool_for(SLIDING, (WINDOW, (128, 96))) is SLIDING


def test_buckets_below_the_window_are_pooled_as_a_whole() -> None:
    assert pool_for(SLIDING, ((32, 96), WINDOW)).pooling_kernel is None


def test_where_the_window_is_the_picture_both_poolings_answer_alike() -> None:
    images = stand_in_picture(WINDOW).as_batch()

    own, pooled = (
        run_network(stand_in_network(variant), images)
        for variant in (SLIDING, pool_for(SLIDING, ((32, 48),)))
    )

    assert torch.allclose(own.semantic, pooled.semantic, atol=1e-5)


def test_buckets_on_both_sides_of_the_window_are_refused() -> None:
    with pytest.raises(ExportError, match=r"64x48, 128x128 mix sides below and above the window .* 64x96"):
        pool_for(SLIDING, ((64, 48), (128, 128)))


@pytest.mark.parametrize(
    ("name", "buckets"),
    [
        ("efficientnet-lite0", ((384, 512), (512, 384))),
        ("r52-dc5", ((1024, 2048), (2048, 1024))),
        ("r52-dc5-dsconv-coco", ((640, 640),)),
        ("mobilenet-v2-os32", ((1025, 2049),)),  # its window is the whole picture, and does not turn
    ],
)
def test_a_size_is_served_turned_where_one_graph_can(name: str, buckets: tuple[tuple[int, int], ...]) -> None:
    variant = find_variant(name)

    assert usual_buckets(variant.input.size, variant) == buckets
