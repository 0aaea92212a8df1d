from pathlib import Path

import pytest
import torch
from torchvision.models import mobilenet_v2

from model.checkpoints import CheckpointError
from model.checkpoints.weights import write_weights
from model.network.panoptic_deeplab import PanopticDeepLab
from model.training.recipes import STREET, find_recipe
from model.training.start import start_network
from model.variants import EFFICIENTNET_LITE0, find_variant

MOBILENET = find_recipe("cityscapes-mobilenet-v2-os32")


@pytest.fixture
def mobilenet() -> PanopticDeepLab:
    return PanopticDeepLab(find_variant(MOBILENET.variant))


def test_a_published_recipe_without_a_file_says_which_to_give(mobilenet: PanopticDeepLab) -> None:
    with pytest.raises(ValueError, match=r"torchvision's MobileNetV2.*--start FILE"):
        start_network(mobilenet, MOBILENET, None)


def test_random_weights_must_be_asked_for(mobilenet: PanopticDeepLab) -> None:
    assert start_network(mobilenet, MOBILENET, "random") == "started from random weights"


def test_a_state_dict_of_torchvision_fills_the_backbone(mobilenet: PanopticDeepLab, tmp_path: Path) -> None:
    theirs = mobilenet_v2(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "mobilenet.pth")
    said = start_network(mobilenet, MOBILENET, str(tmp_path / "mobilenet.pth"))
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        ours = mobilenet.eval().backbone(images)["res5"]
        torch.testing.assert_close(ours, theirs.features[:-1](images))
    assert said == "the backbone started from mobilenet.pth"


def test_a_file_without_counters_is_enough(mobilenet: PanopticDeepLab, tmp_path: Path) -> None:
    state = mobilenet_v2(weights=None).state_dict()
    torch.save({k: v for k, v in state.items() if "num_batches" not in k}, tmp_path / "old.pth")
    assert start_network(mobilenet, MOBILENET, str(tmp_path / "old.pth"))


def test_weights_of_ours_fill_the_whole_network(tmp_path: Path) -> None:
    network, other = PanopticDeepLab(EFFICIENTNET_LITE0), PanopticDeepLab(EFFICIENTNET_LITE0)
    write_weights(tmp_path / "w.safetensors", other.state_dict(), {"variant": "efficientnet-lite0"})
    assert start_network(network, STREET, str(tmp_path / "w.safetensors")) == "started from w.safetensors"
    assert torch.equal(network.semantic_head.predictor.weight, other.semantic_head.predictor.weight)


def test_another_networks_weights_are_refused(mobilenet: PanopticDeepLab, tmp_path: Path) -> None:
    other = PanopticDeepLab(EFFICIENTNET_LITE0)
    write_weights(tmp_path / "w.safetensors", other.state_dict(), {"variant": "efficientnet-lite0"})
    with pytest.raises(CheckpointError, match="does not fit the network"):
        start_network(mobilenet, MOBILENET, str(tmp_path / "w.safetensors"))


def test_a_file_that_is_not_there_is_refused(mobilenet: PanopticDeepLab, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no file"):
        start_network(mobilenet, MOBILENET, str(tmp_path / "none.pth"))
