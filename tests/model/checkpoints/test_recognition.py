"""Flavour and variant are told from names and shapes; what they cannot tell is asked for."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from model.checkpoints import CheckpointError
from model.checkpoints.recognition import choose_variant, recognise
from model.network.panoptic_deeplab import PanopticDeepLab
from model.parity.names import VARIANT_NAMES
from model.parity.networks import read_shapes
from model.variants import EFFICIENTNET_LITE0, VARIANTS, find_variant

KEYS = Path(__file__).parents[2] / "goldens" / "keys"


def published_state(flavour: str, name: str) -> dict[str, Tensor]:
    """Published names and shapes, without memory."""
    shapes = read_shapes(KEYS / f"{flavour}-{name}.json")
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


@pytest.mark.parametrize(("flavour", "name"), VARIANT_NAMES, ids="-".join)
def test_every_published_variant_is_recognised_as_itself_alone(flavour: str, name: str) -> None:
    found = recognise(published_state(flavour, name))

    assert [variant.name for variant in found] == [VARIANT_NAMES[flavour, name]]


def test_our_own_names_are_recognised_too() -> None:
    with torch.device("meta"):
        state = PanopticDeepLab(EFFICIENTNET_LITE0).state_dict()

    assert choose_variant(state) == EFFICIENTNET_LITE0


def test_the_buffers_of_older_files_and_absent_counts_change_nothing() -> None:
    state = published_state("d2", "r52-dsconv") | {"pixel_mean": torch.zeros(3, 1, 1)}
    state = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}

    assert choose_variant(state).name == "r52-dc5-dsconv"


def test_of_several_that_fit_the_only_published_one_is_meant() -> None:
    published = find_variant("r52-dc5-dsconv")
    twin = replace(published, name="twin", pooling_kernel=None, published=None)

    assert choose_variant(published_state("d2", "r52-dsconv"), [twin, published]) == published


def test_where_several_fit_alike_all_are_named_and_the_option_that_says_which() -> None:
    published = find_variant("r52-dc5-dsconv")
    twin = replace(published, name="twin", pooling_kernel=None)

    with pytest.raises(CheckpointError, match=r"may be twin, r52-dc5-dsconv, .* with --variant NAME"):
        choose_variant(published_state("d2", "r52-dsconv"), [twin, published])


def test_another_number_of_classes_is_told_with_those_there_are() -> None:
    state = published_state("d2", "r52-dsconv")
    state["sem_seg_head.predictor.weight"] = torch.empty(7, 256, 1, 1, device="meta")

    with pytest.raises(CheckpointError, match=r"7 classes, .* 19 \(cityscapes\), 133 \(coco\)"):
        recognise(state)


def test_a_file_that_fits_nothing_is_told_the_nearest_and_what_differs() -> None:
    state = published_state("old", "mbnv2-os32")
    del state["decoder.instance_head.classifier.center.1.bias"]
    state["decoder.stranger"] = torch.empty(1, device="meta")

    with pytest.raises(CheckpointError) as caught:
        choose_variant(state)

    told = str(caught.value)
    assert "Nearest is mobilenet-v2-os32: 1 missing: center_head.predictor.bias; 1 unexpected: " in told


def test_names_of_another_network_are_told() -> None:
    with pytest.raises(CheckpointError, match=r"such as 'fc\.weight', are of no Panoptic-DeepLab"):
        choose_variant({"fc.weight": torch.zeros(1)}, VARIANTS.values())
