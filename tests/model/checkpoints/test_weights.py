"""Checkpoints: our weights come back as they were, and what does not fit is told."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from model.checkpoints import CheckpointError, original
from model.checkpoints.detectron2 import our_name, our_names
from model.checkpoints.state import find_misfits
from model.checkpoints.weights import load_network, read_metadata, read_weights, write_weights
from model.network.panoptic_deeplab import PanopticDeepLab
from model.parity.stand_in import stand_in_network
from model.variants import EFFICIENTNET_LITE0, R52_DC5, find_variant

METADATA = {"variant": "efficientnet-lite0", "training_data": "none", "steps": "12"}


@pytest.fixture(scope="module")
def network() -> PanopticDeepLab:
    return stand_in_network(EFFICIENTNET_LITE0)


@pytest.fixture(scope="module")
def weights_file(network: PanopticDeepLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "deep" / "street.safetensors"
    write_weights(path, network.state_dict(), METADATA)
    return path


def test_weights_and_metadata_survive_the_round_trip(weights_file: Path, network: PanopticDeepLab) -> None:
    metadata, weights = read_weights(weights_file)

    assert metadata == METADATA
    assert find_misfits(network.state_dict(), weights) == []
    assert all(torch.equal(weights[name], tensor) for name, tensor in network.state_dict().items())


def test_metadata_are_read_without_the_tensors(weights_file: Path) -> None:
    assert read_metadata(weights_file) == METADATA


def test_a_loaded_network_answers_as_the_one_that_was_written(
    weights_file: Path, network: PanopticDeepLab
) -> None:
    images = torch.zeros(1, 3, 32, 48)
    with torch.inference_mode():
        ours, theirs = network(images), load_network(weights_file)(images)

    assert torch.equal(ours.semantic, theirs.semantic)


def test_nothing_partial_is_left_beside_the_weights(weights_file: Path) -> None:
    assert [entry.name for entry in weights_file.parent.iterdir()] == ["street.safetensors"]


def test_tied_and_transposed_tensors_can_be_written(tmp_path: Path) -> None:
    tensor = torch.arange(6.0).reshape(2, 3)

    write_weights(tmp_path / "a", {"one": tensor, "two": tensor, "three": tensor.T}, METADATA)

    assert torch.equal(read_weights(tmp_path / "a")[1]["three"], tensor.T)


@pytest.mark.parametrize("metadata", [{}, {"variant": "r9000"}], ids=["no variant", "unknown variant"])
def test_weights_of_no_variant_are_not_written(tmp_path: Path, metadata: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="variant"):
        write_weights(tmp_path / "a", {}, metadata)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no safetensors file"),
        (b"\x80\x04cos\nsystem\n", "is no safetensors file"),
        (b"\xff" * 64, "is no safetensors file"),
    ],
    ids=["empty", "pickle", "noise"],
)
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a").write_bytes(content)

    with pytest.raises(CheckpointError, match=sentence):
        load_network(tmp_path / "a")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no file"):
        load_network(tmp_path / "none")


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        (None, "does not say which variant it is"),
        ({"variant": "r9000"}, "there is no variant 'r9000'; there are"),
    ],
    ids=["none", "unknown"],
)
def test_weights_of_an_untold_variant_are_refused(
    tmp_path: Path, metadata: dict[str, str] | None, sentence: str
) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a", metadata=metadata)

    with pytest.raises(CheckpointError, match=sentence):
        load_network(tmp_path / "a")


def test_at_most_ten_misfits_of_each_kind_are_listed(tmp_path: Path, network: PanopticDeepLab) -> None:
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("backbone")}
    state["center_head.predictor.bias"] = torch.zeros(4)
    state["stranger"] = torch.zeros(1)
    write_weights(tmp_path / "a", state, METADATA)

    with pytest.raises(CheckpointError) as caught:
        load_network(tmp_path / "a")

    told = str(caught.value)
    assert " more; 1 unexpected: stranger; " in told
    assert "1 mis-shaped: center_head.predictor.bias is 4 instead of 1" in told
    assert told.count("backbone.") == 10


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("backbone.stem.conv1.norm.running_var", "backbone.stem.conv1.norm.running_var"),
        ("backbone.res2.0.shortcut.weight", "backbone.res2.0.shortcut.conv.weight"),
        (
            "ins_embed_head.decoder.res3.fuse_conv.depthwise.weight",
            "instance_decoder.stages.res3.fuse.depthwise.conv.weight",
        ),
        (
            "sem_seg_head.decoder.res5.project_conv.convs.2.pointwise.norm.bias",
            "semantic_decoder.aspp.branches.2.pointwise.norm.bias",
        ),
        ("sem_seg_head.decoder.res5.project_conv.convs.4.1.weight", "semantic_decoder.aspp.pool.weight"),
        ("sem_seg_head.head.pointwise.weight", "semantic_head.layers.pointwise.conv.weight"),
        ("ins_embed_head.offset_predictor.bias", "offset_head.predictor.bias"),
    ],
)
def test_a_name_of_detectron2_becomes_ours(theirs: str, ours: str) -> None:
    assert our_name(theirs, R52_DC5) == ours


@pytest.mark.parametrize(
    ("variant", "theirs", "ours"),
    [
        ("r50-os32", "layer4.0.downsample.1.bias", "res5.0.shortcut.norm.bias"),
        ("resnext101-os32", "conv1.weight", "stem.conv1.conv.weight"),
        (
            "xception65-os32",
            "block21.sep_conv3.block.bn_point.bias",
            "block21.separable3.pointwise.norm.bias",
        ),
        ("hrnet48-os4", "transition1.1.0.0.weight", "transition1.1.conv.weight"),
        ("hrnet48-os4", "stage4.2.fuse_layers.3.0.1.0.weight", "stage4.2.paths.3.0.1.conv.weight"),
        ("mobilenet-v2-os32", "features.1.conv.1.weight", "stages.0.0.layers.project.conv.weight"),
        ("mnasnet-os32", "layers.13.0.layers.7.bias", "stages.6.0.layers.project.norm.bias"),
    ],
)
def test_a_name_of_an_original_backbone_becomes_ours(variant: str, theirs: str, ours: str) -> None:
    assert original.our_name(f"backbone.{theirs}", find_variant(variant)) == f"backbone.{ours}"


@pytest.mark.parametrize(
    ("variant", "theirs", "ours"),
    [
        (
            "r50-os32",
            "semantic_decoder.fuse.0.0.1.weight",
            "semantic_decoder.stages.res4.fuse.pointwise.conv.weight",
        ),
        (
            "r50-os16",
            "semantic_decoder.fuse.0.0.1.weight",
            "semantic_decoder.stages.res3.fuse.pointwise.conv.weight",
        ),
        ("r50-os32", "instance_head.classifier.offset.1.bias", "offset_head.predictor.bias"),
    ],
)
def test_a_name_of_the_original_repository_becomes_ours(variant: str, theirs: str, ours: str) -> None:
    assert original.our_name(f"decoder.{theirs}", find_variant(variant)) == ours


def test_a_name_that_no_rule_knows_fits_nothing() -> None:
    assert original.our_name("decoder.stranger.weight", find_variant("r50-os32")).startswith("decoder.")


def test_the_buffers_of_older_files_are_dropped() -> None:
    assert our_names({"pixel_mean": torch.zeros(3, 1, 1), "pixel_std": torch.zeros(3, 1, 1)}, R52_DC5) == {}
