"""The graph answers as the network does, at every batch and size."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnxruntime import InferenceSession, SessionOptions

from export.certificate import run_graph, run_network
from export.onnx_graph import write_graph
from model.bundle import Bundle
from model.network.panoptic_deeplab import Heads, PanopticDeepLab

TOLERANCE = 1e-4
LAYOUT = "com.microsoft.nchwc"  # ONNX Runtime's name for its convolutions' operators


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("size", [(64, 96), (96, 64), (32, 112)], ids=str)
def test_onnx_runtime_answers_as_torch(
    session: InferenceSession, network: PanopticDeepLab, batch: int, size: tuple[int, int]
) -> None:
    generator = np.random.default_rng(batch)
    images = torch.from_numpy(generator.integers(0, 256, (batch, *size, 3), dtype=np.uint8))

    ours, theirs = run_network(network, images), run_graph(session, images)

    assert [head.shape for head in ours] == [head.shape for head in theirs]
    assert largest_difference(ours, theirs) < TOLERANCE


def test_the_graph_has_no_batch_norms_left(bundle: Bundle) -> None:
    graph = onnx.load(str(bundle.model))

    assert "BatchNormalization" not in {node.op_type for node in graph.graph.node}


def test_the_graph_casts_before_it_permutes(bundle: Bundle) -> None:
    graph = onnx.load(str(bundle.model))

    kinds = [node.op_type for node in graph.graph.node]

    assert kinds.index("Cast") < kinds.index("Transpose")


def test_decoders_enlarge_by_stated_scales(bundle: Bundle) -> None:
    """Each of the two decoders twice; what the whole picture is pooled to has no scale of its own."""
    graph = onnx.load(str(bundle.model)).graph
    given = {tensor.name: onnx.numpy_helper.to_array(tensor).tolist() for tensor in graph.initializer}

    enlarging = [node.input[2:] for node in graph.node if node.op_type == "Resize"]

    stated = [given[scales] for scales, *sizes in enlarging if scales and not any(sizes)]
    assert stated == [[1, 1, 2, 2]] * 4
    assert len(enlarging) == 6


def test_onnx_runtime_enlarges_in_the_layout_of_its_convolutions(bundle: Bundle, tmp_path: Path) -> None:
    """The four of the decoders; the two of the pooled pictures have computed sizes, and are left as they are."""
    options = SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    InferenceSession(str(bundle.model), options, providers=["CPUExecutionProvider"])

    nodes = onnx.load(options.optimized_model_filepath).graph.node
    if not any(node.domain == LAYOUT for node in nodes):
        pytest.skip("convolutions have no layout of their own on this processor")

    kinds = Counter((node.domain, node.op_type) for node in nodes if node.op_type in ("Upsample", "Resize"))
    assert kinds == {(LAYOUT, "Upsample"): 4, ("", "Resize"): 2}


def test_the_graph_names_its_free_sides(bundle: Bundle) -> None:
    graph = onnx.load(str(bundle.model)).graph

    sides = [[side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim] for value in
             (*graph.input, *graph.output)]  # fmt: skip

    assert sides == [
        ["batch", "16*rows", "16*columns", 3],
        ["batch", 17, "4*rows", "4*columns"],
        ["batch", 1, "4*rows", "4*columns"],
        ["batch", 2, "4*rows", "4*columns"],
    ]


def test_the_graph_tells_no_path_of_the_machine_that_traced_it(bundle: Bundle) -> None:
    content = bundle.model.read_bytes()

    assert b".py" not in content


def test_a_size_off_the_step_is_refused(network: PanopticDeepLab, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the sides of 60x96 must be multiples of 16"):
        write_graph(network, tmp_path / "model.onnx", size=(60, 96))


def test_tracing_leaves_the_network_as_it_was(network: PanopticDeepLab, bundle: Bundle) -> None:
    names = network.state_dict().keys()

    assert "backbone.stem.norm.running_mean" in names


def largest_difference(ours: Heads, theirs: Heads) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))
