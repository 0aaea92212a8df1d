"""A graph gets the image pooling that its buckets need."""

import pytest
import torch

from export import ExportError
from export.certificate import run_network
from export.pictures import stand_in_picture
from export.pooling import pool_for, usual_buckets
from model.network.panoptic_deeplab import PanopticDeepLab
from model.parity.stand_in import stand_in_network
from model.variants import EFFICIENTNET_LITE0, find_variant, with_pooling

WINDOW = (64, 96)  # pixels: 4 x 6 cells of stride 16


@pytest.fixture(scope="module")
def sliding() -> PanopticDeepLab:
    return stand_in_network(with_pooling(EFFICIENTNET_LITE0, (4, 6)))


def test_buckets_of_at_least_the_window_keep_the_network(sliding: PanopticDeepLab) -> None:
    assert pool_for(sliding, (WINDOW, (128, 96))) is sliding


def test_buckets_below_the_window_are_pooled_as_a_whole(sliding: PanopticDeepLab) -> None:
    assert pool_for(sliding, ((32, 96), WINDOW)).variant.pooling_kernel is None


def test_a_global_pooling_shares_the_weights(sliding: PanopticDeepLab) -> None:
    pooled = pool_for(sliding, ((32, 48),))

    assert all(
        tensor.data_ptr() == sliding.state_dict()[name].data_ptr()
        for name, tensor in pooled.state_dict().items()
    )


def test_where_the_window_is_the_picture_both_poolings_answer_alike(sliding: PanopticDeepLab) -> None:
    images = stand_in_picture(WINDOW).as_batch()

    own, pooled = (run_network(network, images) for network in (sliding, pool_for(sliding, ((32, 48),))))

    assert torch.allclose(own.semantic, pooled.semantic, atol=1e-5)


def test_buckets_on_both_sides_of_the_window_are_refused(sliding: PanopticDeepLab) -> None:
    with pytest.raises(ExportError, match=r"64x48, 128x128 mix sides below and above the window .* 64x96"):
        pool_for(sliding, ((64, 48), (128, 128)))


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
