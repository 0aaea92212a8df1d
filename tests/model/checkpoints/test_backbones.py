"""ImageNet files of every family fill a backbone, and what classifies is left out by name."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision.models as published
from torch import Tensor, nn

from model.checkpoints import CheckpointError
from model.checkpoints.backbones import load_backbone
from model.network.backbones import build_backbone
from model.parity.networks import read_shapes
from model.parity.stand_in import stand_in_weights
from model.variants import find_variant

KEYS = Path(__file__).parents[2] / "goldens" / "keys"
TOPS = {
    "d2-r52-dsconv": ("r52-dc5", {"stem.fc.weight": (1000, 2048), "stem.fc.bias": (1000,)}),
    "old-h18-os4": (
        "hrnet18-os4",
        {"incre_modules.0.0.conv1.weight": (32, 18, 1, 1), "classifier.bias": (1000,)},
    ),
}


def unprefixed(keys: str) -> dict[str, Tensor]:
    """A published backbone's names without their prefix, filled."""
    shapes = read_shapes(KEYS / f"{keys}.json")
    return stand_in_weights(
        {key.removeprefix("backbone."): shape for key, shape in shapes.items() if key.startswith("backbone.")}
    )


@pytest.mark.parametrize("keys", TOPS)
def test_a_file_of_unprefixed_names_fills_the_backbone(tmp_path: Path, keys: str) -> None:
    name, tops = TOPS[keys]
    spec = find_variant(name).backbone
    backbone = build_backbone(spec)
    state = unprefixed(keys)
    path = tmp_path / "backbone"
    arrays = {key: tensor.numpy() for key, tensor in {**state, **stand_in_weights(tops)}.items()}
    path.write_bytes(
        pickle.dumps({"model": arrays, "__author__": "third_party", "matching_heuristics": True})
    )

    dropped = load_backbone(path, backbone, spec)

    first = next(iter(state))
    assert dropped == list(tops)
    assert torch.equal(next(iter(backbone.state_dict().values())), state[first])


@pytest.mark.parametrize(
    ("name", "build", "dropped"),
    [
        ("r50-os32", published.resnet50, {"fc"}),
        ("mobilenet-v2-os32", published.mobilenet_v2, {"features.18", "classifier"}),
        ("mnasnet-os32", published.mnasnet1_0, {"layers.14", "layers.15", "classifier"}),
    ],
    ids=["ResNet", "MobileNetV2", "MNASNet"],
)
def test_a_file_of_torchvisions_fills_the_backbone(
    tmp_path: Path, name: str, build: Callable[[], nn.Module], dropped: set[str]
) -> None:
    spec = find_variant(name).backbone
    with torch.device("meta"):
        shapes = {key: tensor.shape for key, tensor in build().state_dict().items()}
    torch.save({key: torch.full((), 0.5).expand(shape) for key, shape in shapes.items()}, tmp_path / "a.pth")
    backbone = build_backbone(spec)

    left_out = load_backbone(tmp_path / "a.pth", backbone, spec)

    assert {".".join(key.split(".")[: 1 + (key[0] in "lf" and key[1] != "c")]) for key in left_out} == dropped
    assert all((tensor == 0.5).all() for tensor in backbone.parameters())


def test_a_file_of_another_backbone_is_refused(tmp_path: Path) -> None:
    spec = find_variant("mobilenet-v2-os32").backbone
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "a.pth")

    with pytest.raises(CheckpointError, match=r"missing: .*; 1 unexpected"):
        load_backbone(tmp_path / "a.pth", build_backbone(spec), spec)
