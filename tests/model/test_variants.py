"""Variants and label sets are data that fit together."""

import pytest
import torch

from model.categories import label_sets, load_categories, thing_indices
from model.network.panoptic_deeplab import PanopticDeepLab, normalize
from model.parity.stand_in import stand_in_network
from model.variants import EFFICIENTNET_LITE0, R52_DC5, VARIANTS, Variant, find_variant, with_pooling


@pytest.mark.parametrize("label_set", label_sets())
def test_ids_and_names_of_a_label_set_are_its_own(label_set: str) -> None:
    categories = [category for category in load_categories(label_set) if not category.isvoid]

    assert len({category.id for category in categories}) == len(categories)
    assert len({category.name for category in categories}) == len(categories)
    assert all(category.id > 0 for category in categories)


def test_cityscapes_things_are_the_last_eight() -> None:
    assert thing_indices(load_categories("cityscapes")) == tuple(range(11, 19))


def test_an_unknown_variant_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no variant 'r9000'; there are efficientnet-lite0, .*, r52-dc5, "):
        find_variant("r9000")


def test_an_unknown_label_set_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no label set 'ade'; there are cityscapes, coco, street"):
        load_categories("ade")


@pytest.mark.parametrize("name", VARIANTS)
def test_heads_lie_at_the_variants_stride(name: str) -> None:
    size = (64, 96)
    variant = with_pooling(VARIANTS[name], None)
    with torch.device("meta"):
        network = PanopticDeepLab(variant).eval()
        heads = network(torch.zeros(1, 3, *size))

    cells = (size[0] // variant.stride, size[1] // variant.stride)
    classes = len(load_categories(variant.label_set))
    assert [tuple(head.shape) for head in heads] == [(1, classes, *cells), (1, 1, *cells), (1, 2, *cells)]


def test_a_picture_in_a_batch_is_answered_as_alone() -> None:
    network = stand_in_network(EFFICIENTNET_LITE0)
    images = normalize(torch.randint(0, 256, (2, 32, 48, 3), dtype=torch.uint8), network.variant.input)

    with torch.inference_mode():
        alone, together = network(images[1:]), network(images)

    assert torch.allclose(alone.offset[0], together.offset[1], atol=1e-5)


def test_another_pooling_leaves_the_variant_as_it_was() -> None:
    assert with_pooling(R52_DC5, (4, 8)).pooling_kernel == (4, 8)
    assert R52_DC5.pooling_kernel == (32, 64)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=lambda variant: variant.name)
def test_padding_is_the_mean_to_the_nearest_bytes(variant: Variant) -> None:
    distances = [abs(m - p) for m, p in zip(variant.input.mean, variant.input.pad_value, strict=True)]

    assert max(distances) < 1


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=lambda variant: variant.name)
def test_the_pooling_kernel_fits_into_the_published_size(variant: Variant) -> None:
    with torch.device("meta"):
        network = PanopticDeepLab(variant).eval()
        features = network.backbone(torch.zeros(1, 3, *variant.input.size))

    rows, columns = list(features.values())[-1].shape[2:]
    kernel = variant.pooling_kernel or (1, 1)
    assert (kernel[0] <= rows, kernel[1] <= columns) == (True, True)
    assert rows == -(-variant.input.size[0] // variant.coarsest_stride)


def test_the_mean_color_normalises_to_zero() -> None:
    images = torch.full((1, 2, 2, 3), 127, dtype=torch.uint8)

    assert normalize(images, EFFICIENTNET_LITE0.input).abs().max() == 0
