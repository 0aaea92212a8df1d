"""TensorRT's parser: what it refuses is told by operator and node, before anything is built."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export import ExportError
from export.engine import profiles_of
from export.precision import graph_in
from export.tensorrt import build, open_runtime, parse
from model.bundle import Bundle, read_bundle


@pytest.fixture(scope="module")
def bundle(root: Path) -> Bundle:
    """The embedded one: nothing needs to be exported."""
    return read_bundle(root / "service" / "bundles" / "street")


def one_node(operator: str) -> onnx.ModelProto:
    """A graph of one operator over float32 (4, 4)."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 4])
    result = helper.make_tensor_value_info("y", TensorProto.INT64, None)
    node = helper.make_node(operator, ["x"], ["y"], name="the node")
    graph = helper.make_graph([node], "one", [value], [result])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_a_refused_operator_is_named_with_its_node() -> None:
    (refusal, *_) = parse(open_runtime("tensorrt-rtx"), one_node("NonZero"))

    assert (refusal.operator, refusal.node) == ("NonZero", "the node")
    assert refusal.why


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_the_graph_is_taken_in_every_precision_that_needs_no_photographs(
    bundle: Bundle, precision: str
) -> None:
    assert parse(open_runtime("tensorrt-rtx"), graph_in(bundle, precision)) == []  # type: ignore[arg-type]


def test_a_graph_that_is_refused_is_not_built(bundle: Bundle) -> None:
    with pytest.raises(ExportError, match="refuses NonZero 'the node'"):
        build(
            open_runtime("tensorrt-rtx"),
            one_node("NonZero"),
            profiles_of(bundle),
            tf32=False,
            timing_cache=None,
            report=lambda line: None,
        )


def test_a_tensorrt_that_is_not_installed_is_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)

    with pytest.raises(ExportError, match=r"tensorrt cannot be used here: .*pip install"):
        open_runtime("tensorrt")


def test_a_tensorrt_without_strong_typing_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        __version__ = "10.3.0"

    monkeypatch.setitem(sys.modules, "tensorrt", Old)

    with pytest.raises(ExportError, match=r"10\.3\.0 is installed, 10\.12 is the oldest"):
        open_runtime("tensorrt")


def test_normalisation_and_the_last_layers_stay_fp32_in_fp16(bundle: Bundle) -> None:
    half = graph_in(bundle, "fp16").graph
    kinds = {tensor.name: tensor.data_type for tensor in half.initializer}

    last = [
        node for node in half.node if node.op_type == "Conv" and kinds.get(node.input[1]) == TensorProto.FLOAT
    ]

    assert {node.output[0] for node in last} == {"semantic", "center", "offset"}


def test_the_bits_of_bf16_are_the_nearest_of_the_fp32_weights(bundle: Bundle) -> None:
    full = {tensor.name: tensor for tensor in onnx.load(str(bundle.model)).graph.initializer}
    brain = {tensor.name: tensor for tensor in graph_in(bundle, "bf16").graph.initializer}
    name = next(name for name, tensor in brain.items() if tensor.data_type == TensorProto.BFLOAT16)

    exact = numpy_helper.to_array(full[name]).astype(np.float64)
    rounded = numpy_helper.to_array(brain[name]).astype(np.float64)

    np.testing.assert_allclose(rounded, exact, rtol=2**-8)
