"""The bundle's graph in a shorter number format: fp16 and bf16 by conversion, int8 and fp8 from bundles made so.

TensorRT takes precision from the graph's own types. Normalisation stays fp32, which reads bytes up to 255; so does the
last layer of each head, whose numbers are the answer: an offset of 200 pixels has steps of an eighth in fp16.
The tool is ONNX Runtime's own.
"""

from collections.abc import Iterable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export import ExportError
from export.onnx_graph import OUTPUTS, quiet
from model.bundle import Bundle, Precision

SYMMETRIC = "`panoptic-export quantize --precision {} --symmetric`"
_SCALES = 2  # place of Resize's scales, which stay fp32


def graph_in(bundle: Bundle, precision: Precision) -> onnx.ModelProto:
    """The bundle's graph in a precision, strongly typed as TensorRT wants it.

    Raises: ExportError: the bundle cannot be brought to it, or its int8 has zero points.
    """
    graph = onnx.load(str(bundle.model))
    if precision == bundle.precision:
        if precision == "int8":
            _check_symmetric(bundle, graph)
        return graph
    if bundle.precision != "fp32":
        raise ExportError(
            f"{bundle.path} is {bundle.precision}, not {precision}. Give the fp32 bundle, or --precision "
            f"{bundle.precision}."
        )
    return in_precision(graph, precision)


def in_precision(graph: onnx.ModelProto, precision: Precision) -> onnx.ModelProto:
    """An fp32 graph in a precision that can be had without photographs.

    Raises: ExportError: the precision needs them.
    """
    if precision == "fp32":
        return graph
    if precision == "fp16":
        return to_fp16(graph)
    if precision == "bf16":
        return to_bf16(graph)
    raise ExportError(
        f"The graph is fp32; {precision} needs ranges from photographs. Make a bundle of it with "
        f"{SYMMETRIC.format(precision)}, and give that."
    )


def to_fp16(graph: onnx.ModelProto, kept: Iterable[str] = ()) -> onnx.ModelProto:
    """A copy in fp16, whose input and outputs keep their types.

    Args:
        kept: names of further nodes that stay fp32.
    """
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    with quiet():
        half = convert_float_to_float16(
            copy,
            keep_io_types=True,
            op_block_list=[*DEFAULT_OP_BLOCK_LIST, "QuantizeLinear", "DequantizeLinear"],
            node_block_list=[*_exact(graph), *kept],
        )
        _drop_round_trips(half)
        OnnxModel(half).topological_sort()  # the casts stand at the end
    onnx.checker.check_model(half)
    return half


def to_bf16(graph: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in bf16: the fp16 one with another type, and weights taken from the fp32 one."""
    half = to_fp16(graph)
    full = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    for tensor in half.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            exact = full.get(tensor.name)
            values = numpy_helper.to_array(tensor) if exact is None else exact
            tensor.CopyFrom(_bf16(tensor.name, values.astype(np.float32)))
    for node in half.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.BFLOAT16
            elif attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT16:
                attribute.t.CopyFrom(_bf16("", numpy_helper.to_array(attribute.t).astype(np.float32)))
    for value in half.graph.value_info:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.BFLOAT16
    onnx.checker.check_model(half)
    return half


def _drop_round_trips(graph: onnx.ModelProto) -> None:
    """Between two nodes that stay fp32 the tool casts there and back, which would round what should not be."""
    casts = {
        node.output[0]: (node.input[0], node.attribute[0].i)
        for node in graph.graph.node
        if node.op_type == "Cast"
    }
    weights = {each.name for each in graph.graph.initializer if each.data_type == TensorProto.FLOAT}
    same = {}
    for name, (source, kind) in casts.items():
        origin, between = casts.get(source, ("", 0))
        if kind == TensorProto.FLOAT and (source in weights or between == TensorProto.FLOAT16):
            same[name] = source if source in weights else origin
    outputs = {_origin(each.name, same): each.name for each in graph.graph.output if each.name in same}
    for node in graph.graph.node:
        for place, name in enumerate(node.input):
            origin = _origin(name, same)
            node.input[place] = outputs.get(origin, origin)
        for place, name in enumerate(node.output):
            node.output[place] = outputs.get(
                name, f"{name} by way of fp16" if name in outputs.values() else name
            )
    while _drop_unread_casts(graph.graph):
        pass


def _drop_unread_casts(graph: onnx.GraphProto) -> bool:
    """Whether there were any; each may have been the only reader of another."""
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    kept = [node for node in graph.node if node.op_type != "Cast" or node.output[0] in read]
    fewer = len(kept) < len(graph.node)
    del graph.node[:]
    graph.node.extend(kept)
    return fewer


def _origin(name: str, same: dict[str, str]) -> str:
    while name in same:
        name = same[name]
    return name


def _exact(graph: onnx.ModelProto) -> list[str]:
    """Nodes that stay fp32: all before the first convolution, and those that give the heads."""
    nodes = list(graph.graph.node)
    first = next(index for index, node in enumerate(nodes) if node.op_type == "Conv")
    return [node.name for node in nodes[:first]] + [
        node.name for node in nodes[first:] if set(node.output) & set(OUTPUTS)
    ]


def _bf16(name: str, values: NDArray[np.float32]) -> TensorProto:
    bits = values.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16  # to the nearest, ties to even
    return helper.make_tensor(
        name, TensorProto.BFLOAT16, values.shape, rounded.astype(np.uint16).tobytes(), raw=True
    )


def _check_symmetric(bundle: Bundle, graph: onnx.ModelProto) -> None:
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        if zero is not None and (zero.data_type == TensorProto.UINT8 or numpy_helper.to_array(zero).any()):
            raise ExportError(
                f"{bundle.path} is int8 with zero points, which TensorRT does not take. Make one of the fp32 bundle "
                f"with {SYMMETRIC.format('int8')}."
            )
