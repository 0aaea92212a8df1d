"""One export for all tests here: the own variant with stand-in weights at two small sizes."""

from pathlib import Path

import pytest
from onnxruntime import InferenceSession

from export.certificate import open_graph
from export.commands.export import export
from model.bundle import Bundle, read_bundle
from model.checkpoints.weights import load_network, write_weights
from model.network.panoptic_deeplab import PanopticDeepLab
from model.parity.stand_in import stand_in_network
from model.variants import EFFICIENTNET_LITE0


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "stand-in.safetensors"
    metadata = {
        "variant": "efficientnet-lite0",
        "licence": "Apache-2.0",
        "training_data": "none",
        "weights": "stand-in: filled by parameter names",
        "version": "7",
    }
    write_weights(path, stand_in_network(EFFICIENTNET_LITE0).state_dict(), metadata)
    return path


@pytest.fixture(scope="session")
def network(checkpoint: Path) -> PanopticDeepLab:
    return load_network(checkpoint)


@pytest.fixture(scope="session")
def bundle(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Made by the command itself; tests copy it before they harm it."""
    out = tmp_path_factory.mktemp("bundles") / "street"
    card = tmp_path_factory.mktemp("card") / "card.md"
    card.write_text("# A model of no use\n")
    arguments = [str(checkpoint), "--out", str(out), "--buckets", "64x96,96x64", "--batch-sizes", "1,2,3"]
    arguments += ["--card", str(card), "--equal-pixels", "0.99"]
    export.main(arguments, standalone_mode=False)
    return read_bundle(out)


@pytest.fixture(scope="session")
def session(bundle: Bundle) -> InferenceSession:
    return open_graph(bundle.model)
