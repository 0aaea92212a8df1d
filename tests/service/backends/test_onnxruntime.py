"""ONNX Runtime: the graph must be what the manifest says."""

from pathlib import Path

import numpy as np
import pytest

from model.bundle import MODEL, Bundle, BundleError
from service.backends import open_backend
from tests.service.toy import write_toy


def test_heads_come_at_network_stride_whatever_the_bucket_and_batch(toy: Bundle) -> None:
    backend = open_backend(toy, threads=1)

    shapes = [
        backend.run(np.zeros((n, h, w, 3), np.uint8)).semantic.shape
        for n, h, w in ((1, 96, 128), (3, 128, 96))
    ]
    backend.close()

    assert shapes == [(1, 6, 24, 32), (3, 6, 32, 24)]


def test_a_file_that_is_no_graph_is_refused_in_one_sentence(tmp_path: Path) -> None:
    bundle = write_toy(tmp_path / "toy")
    (bundle.path / MODEL).write_bytes(b"no graph")

    with pytest.raises(BundleError, match="is no graph that ONNX Runtime"):
        open_backend(bundle, threads=1)


def test_a_graph_with_another_input_than_its_manifest_says_is_refused(toy: Bundle) -> None:
    spec = toy.manifest.input.model_copy(update={"name": "pictures"})
    other = toy.model_copy(update={"manifest": toy.manifest.model_copy(update={"input": spec})})

    with pytest.raises(BundleError, match="'pictures'"):
        open_backend(other, threads=1)
