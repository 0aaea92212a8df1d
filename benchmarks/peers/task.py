"""What the peers are told: a bundle's graph behind its normalisation, and the numbers of its merging.

The usual handler normalises in numpy, so the peers' graph is the bundle's own from where the picture is normalised.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.utils import Extractor

from benchmarks.peers.servers.usual import Task
from model.bundle import Bundle, Size

POINTWISE = {"Cast", "Sub", "Div", "Mul", "Add", "Transpose"}
PLACES = {0: 0, 1: 2, 2: 3, 3: 1}  # of N, H, W, C among N, C, H, W


class NoSuchGraph(Exception):
    """A bundle's graph cannot be cut behind its normalisation."""


def write_task(
    bundle: Bundle, size: Size, folder: Path, *, runtime: str, threads: int, enlarge: bool
) -> Path:
    """Write the peers' graph and their task into a folder; returns the task's file.

    Raises: NoSuchGraph: the bundle's graph does not begin with a normalisation to (N, 3, H, W).
    """
    graph = onnx.load(str(bundle.model))
    cut = find_normalised(graph)
    mean, std = _normalisation(graph, cut, size)
    onnx.save(behind(graph, cut), str(folder / "graph.onnx"))
    manifest = bundle.manifest
    task = Task(
        graph=str(folder / "graph.onnx"),
        runtime=runtime,
        threads=threads,
        size=size,
        mean=mean,
        std=std,
        stride=manifest.heads.stride,
        enlarge=enlarge,
        category_ids=tuple(0 if row.isvoid else row.id for row in manifest.categories),
        things=tuple(index for index, row in enumerate(manifest.categories) if row.isthing),
        threshold=manifest.merging.threshold,
        nms_kernel=manifest.merging.nms_kernel,
        top_k=manifest.merging.top_k,
        stuff_area=manifest.merging.stuff_area,
        divisor=manifest.merging.label_divisor,
    )
    path = folder / "task.json"
    path.write_text(json.dumps(dataclasses.asdict(task)), encoding="utf-8")
    return path


def find_normalised(graph: onnx.ModelProto) -> str:
    """The tensor where the picture is normalised: float32 (N, 3, H, W).

    Raises: NoSuchGraph: there is none.
    """
    name, transposed = graph.graph.input[0].name, False
    while True:
        takers = [node for node in graph.graph.node if name in node.input and node.op_type != "Shape"]
        if len(takers) != 1 or takers[0].op_type not in POINTWISE:
            break
        name, transposed = takers[0].output[0], transposed or takers[0].op_type == "Transpose"
    if not transposed:
        raise NoSuchGraph("its graph does not begin with a normalisation that ends in a Transpose to NCHW")
    return name


def behind(graph: onnx.ModelProto, cut: str) -> onnx.ModelProto:
    """The graph from a normalised tensor on; what asked the picture for its sides asks that tensor."""
    picture = graph.graph.input[0].name
    mended = onnx.ModelProto()
    mended.CopyFrom(graph)
    for node in mended.graph.node:
        if node.op_type == "Shape" and node.input[0] == picture:
            _ask(node, cut)
    sides: tuple[str | int | None, ...] = ("N", 3, "rows", "columns")
    del mended.graph.input[:]
    mended.graph.input.append(helper.make_tensor_value_info(cut, TensorProto.FLOAT, sides))
    needed = _needed(mended, cut)
    nodes = [node for node in mended.graph.node if set(node.output) & needed]
    del mended.graph.node[:]
    mended.graph.node.extend(nodes)
    constants = [
        tensor for tensor in mended.graph.initializer if any(tensor.name in node.input for node in nodes)
    ]
    del mended.graph.initializer[:]
    mended.graph.initializer.extend(constants)
    onnx.checker.check_model(mended)
    return mended


def _ask(node: onnx.NodeProto, cut: str) -> None:
    found = {attribute.name: attribute.i for attribute in node.attribute}
    start, end = found.get("start", 0), found.get("end", 4)
    if end != start + 1:
        raise NoSuchGraph(f"its node {node.name!r} reads several sides of the picture at once")
    del node.attribute[:]
    place = PLACES[start]
    node.attribute.extend([helper.make_attribute("start", place), helper.make_attribute("end", place + 1)])
    node.input[0] = cut


def _needed(graph: onnx.ModelProto, cut: str) -> set[str]:
    """All tensors on the ways from the cut, and from constants, to the outputs."""
    makers = {name: node for node in graph.graph.node for name in node.output}
    needed, open_ = {cut}, [output.name for output in graph.graph.output]
    while open_:
        name = open_.pop()
        if name in needed or name not in makers:
            continue
        needed.add(name)
        open_ += makers[name].input
    return needed - {cut}


def _normalisation(graph: onnx.ModelProto, cut: str, size: Size) -> tuple[Any, Any]:
    """Mean and std of (x - mean) / std for each channel, read off a black and a white picture."""
    picture = graph.graph.input[0].name
    inferred = onnx.shape_inference.infer_shapes(graph)
    front = Extractor(inferred).extract_model([picture], [cut])
    session: Any = onnxruntime.InferenceSession(front.SerializeToString(), providers=["CPUExecutionProvider"])

    def seen(value: int) -> NDArray[np.float64]:
        found = session.run(None, {picture: np.full((1, *size, 3), value, np.uint8)})
        return np.asarray(found[0][0, :, 0, 0], np.float64)

    black, white = seen(0), seen(255)
    std = 255 / (white - black)
    return tuple((-black * std).round(4).tolist()), tuple(std.round(4).tolist())
