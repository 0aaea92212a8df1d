"""A weights file of any kind becomes the network it was written from, or one sentence says why not."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from model.checkpoints import CheckpointError
from model.checkpoints.reading import Checkpoint, read_checkpoint
from model.checkpoints.weights import write_weights
from model.parity.networks import read_shapes
from model.parity.stand_in import stand_in_network, stand_in_weights
from model.variants import EFFICIENTNET_LITE0, find_variant, with_pooling

KEYS = Path(__file__).parents[2] / "goldens" / "keys"
MOBILENET = find_variant("mobilenet-v2-os32")
R52 = find_variant("r52-dc5-dsconv")


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Stand-in weights under the original repository's names."""
    return stand_in_weights(read_shapes(KEYS / "old-mbnv2-os32.json"))


@pytest.fixture(scope="module")
def checkpoint(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("original") / "final_state.pth"
    torch.save(weights, path)
    return read_checkpoint(path)


def test_a_foreign_file_is_read_as_what_it_is(checkpoint: Checkpoint) -> None:
    assert (checkpoint.variant, checkpoint.metadata) == (MOBILENET, {})


def test_every_format_gives_the_same_weights(
    checkpoint: Checkpoint, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    arrays = {name: tensor.numpy() for name, tensor in weights.items()}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": arrays, "__author__": "a name"}, 4))
    torch.save({"state_dict": weights, "start_iter": 1}, tmp_path / "a.pth.tar")
    torch.save(weights, tmp_path / "older.pth", _use_new_zipfile_serialization=False)
    save_file(weights, tmp_path / "a.safetensors")
    write_weights(tmp_path / "ours.safetensors", checkpoint.tensors, {"variant": MOBILENET.name})

    for path in tmp_path.iterdir():
        tensors = read_checkpoint(path, None if path.name == "ours.safetensors" else MOBILENET).tensors

        assert tensors.keys() == checkpoint.tensors.keys()
        assert all(torch.equal(tensors[name], checkpoint.tensors[name]) for name in tensors), path.name


def test_absent_counts_of_batches_are_zero(weights: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({k: v for k, v in weights.items() if not k.endswith("num_batches_tracked")}, tmp_path / "a")

    read = read_checkpoint(tmp_path / "a", MOBILENET)

    assert int(read.network().state_dict()["backbone.stem.norm.num_batches_tracked"]) == 0


def test_the_network_may_have_another_pooling(checkpoint: Checkpoint) -> None:
    network = checkpoint.network(with_pooling(checkpoint.variant, None))

    assert network.semantic_decoder.aspp.pooling_kernel is None


def test_what_is_said_must_fit_the_file(checkpoint: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match=r"does not fit r50-os32: .* missing: backbone"):
        read_checkpoint(checkpoint.path, find_variant("r50-os32"))


def test_our_own_file_says_itself_which_it_is(tmp_path: Path) -> None:
    write_weights(
        tmp_path / "a", stand_in_network(EFFICIENTNET_LITE0).state_dict(), {"variant": "efficientnet-lite0"}
    )

    assert read_checkpoint(tmp_path / "a").variant == EFFICIENTNET_LITE0
    with pytest.raises(CheckpointError, match="says that it is efficientnet-lite0, not mobilenet-v2-os32"):
        read_checkpoint(tmp_path / "a", MOBILENET)


def state_of_r52(**more: Tensor) -> dict[str, Tensor]:
    """Names and shapes of Detectron2's, each of one number, so that the file is small."""
    shapes = read_shapes(KEYS / "d2-r52-dsconv.json")
    return {name: torch.ones(()).expand(shape) for name, shape in shapes.items()} | more


def normalisation(mean: list[float]) -> dict[str, Tensor]:
    deviation = torch.tensor([58.395, 57.12, 57.375])
    return {"pixel_mean": torch.tensor(mean).reshape(3, 1, 1), "pixel_std": deviation.reshape(3, 1, 1)}


def test_the_published_normalisation_in_an_older_file_is_dropped(tmp_path: Path) -> None:
    torch.save({"model": state_of_r52(**normalisation([123.675, 116.28, 103.53]))}, tmp_path / "a")

    checkpoint = read_checkpoint(tmp_path / "a")

    assert checkpoint.variant == R52
    assert "pixel_mean" not in checkpoint.tensors


def test_another_normalisation_is_refused_with_both(tmp_path: Path) -> None:
    torch.save({"model": state_of_r52(**normalisation([103.53, 116.28, 123.675]))}, tmp_path / "a")

    with pytest.raises(
        CheckpointError, match=r"pixel_mean is 103\.53, 116\.28, 123\.675, that of r52-dc5-dsconv 123"
    ):
        read_checkpoint(tmp_path / "a")
