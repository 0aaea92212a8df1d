"""The published merging as an ONNX graph: heads at network stride in, maps of small integers at the input's size out.

So a picture of two megapixels leaves the device as 4 MB of maps and not as 40 MB of heads. Every step equals
`model.grouping`, the reference; what makes names of the maps, one histogram and one table, is `export.merged`.
Shapes are static but for the batch. TensorRT refuses NonZero and scatter-add: centers come of TopK, and counting is
left to the host. No tensor holds all classes at full size: the semantic map runs through them one by one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike
from onnx import TensorProto, helper, numpy_helper

from export import ExportError
from export.onnx_graph import OPSET
from model.bundle import HeadsSpec, MergingSpec, Size

MAPS = ("classes", "instances")
CHUNK = 8  # centers whose distances are held at once
FAR = 1e9  # where centers lie that there are not
MAX_PIXELS = 1 << 24  # float32 counts no further, and places are sorted as float32
MAX_SMALL = 255  # of uint8


@dataclass(frozen=True)
class Plan:
    """What a merging graph is made for."""

    bucket: Size
    cells: Size  # of the heads
    classes: int
    spec: HeadsSpec
    merging: MergingSpec


class _Pen:
    """Writes nodes and constants, and names them."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[tuple[object, ...], onnx.TensorProto] = {}

    def constant(self, value: ArrayLike, kind: DTypeLike) -> str:
        """Name a constant; equal ones are one."""
        array = np.asarray(value, kind)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = numpy_helper.from_array(array, f"constant {len(self.constants)}")
        return self.constants[key].name

    def many(self, count: int, operator: str, *inputs: str, **attributes: Any) -> list[str]:
        """Write a node of several outputs."""
        place = len(self.nodes)
        outputs = [f"{operator} {place}.{index}" for index in range(count)]
        name = f"merging {operator} {place}"
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, name=name, **attributes))
        return outputs

    def __call__(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Write a node of one output."""
        return self.many(1, operator, *inputs, **attributes)[0]

    def floats(self, value: ArrayLike) -> str:
        """A float32 constant."""
        return self.constant(value, np.float32)

    def longs(self, value: ArrayLike) -> str:
        """An int64 constant."""
        return self.constant(value, np.int64)

    def ints(self, value: ArrayLike) -> str:
        """An int32 constant."""
        return self.constant(value, np.int32)


def merging_graph(plan: Plan) -> onnx.ModelProto:
    """Write the graph: semantic, center and offset in, `classes` and `instances` out, both (N, rows, columns).

    `classes` holds class indices, `instances` the number of the nearest center, from 1 in row-major order, on stuff
    too; 0 everywhere where a picture has none. uint8 where that suffices, else int32.

    Raises: ExportError: the bucket has more pixels than float32 counts.
    """
    rows, columns = plan.bucket
    if rows * columns > MAX_PIXELS:
        raise ExportError(
            f"{rows}x{columns} has more than {MAX_PIXELS} pixels, too many to be merged in a graph."
        )
    pen = _Pen()
    classes = _classes(pen, plan)
    y, x, some = _centers(pen, plan, _enlarge(pen, "center", plan))
    instances = pen("Where", some, _nearest(pen, plan, y, x), pen.ints(0))
    kinds = [_small(plan.classes - 1), _small(plan.merging.top_k - 1)]
    for name, found, kind in zip(MAPS, (classes, instances), kinds, strict=True):
        flat = pen("Reshape", found, pen.longs([-1, rows, columns]))
        pen.nodes.append(helper.make_node("Cast", [flat], [name], name=f"merging {name}", to=kind))
    heads = {"semantic": plan.classes, "center": 1, "offset": 2}
    graph = helper.make_graph(
        pen.nodes,
        "merging",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, *plan.cells])
            for name, channels in heads.items()
        ],
        [
            helper.make_tensor_value_info(name, kind, ["batch", rows, columns])
            for name, kind in zip(MAPS, kinds, strict=True)
        ],
        list(pen.constants.values()),
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(made)
    return made


def _small(most: int) -> int:
    return int(TensorProto.UINT8 if most <= MAX_SMALL else TensorProto.INT32)


def _enlarge(pen: _Pen, head: str, plan: Plan) -> str:
    """Bilinear to the input's size, as the variant's authors do."""
    if plan.cells == plan.bucket:
        return head
    if not plan.spec.align_corners:
        scales = pen.floats([1, 1, plan.spec.stride, plan.spec.stride])
        return pen("Resize", head, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    # TensorRT's parser knows no `axes`, and float32 scales of such sides may miss a pixel.
    kept = pen("Shape", head, start=0, end=2)
    sizes = pen("Concat", kept, pen.longs(plan.bucket), axis=0)
    return pen("Resize", head, "", "", sizes, mode="linear", coordinate_transformation_mode="align_corners")


def _classes(pen: _Pen, plan: Plan) -> str:
    """(N, 1, rows, columns) int32: the first of the largest logits."""
    parts = pen.many(plan.classes, "Split", "semantic", axis=1, num_outputs=plan.classes)
    best = _enlarge(pen, parts[0], plan)
    found = pen("Cast", pen("Mul", best, pen.floats(0)), to=TensorProto.INT32)
    for index, part in enumerate(parts[1:], start=1):
        value = _enlarge(pen, part, plan)
        found = pen("Where", pen("Greater", value, best), pen.ints(index), found)
        best = pen("Max", best, value)
    return found


def _centers(pen: _Pen, plan: Plan, heat: str) -> tuple[str, str, str]:
    """Rows and columns of the centers, (N, K, 1, 1) float32 in row-major order, and whether there are any."""
    merging = plan.merging
    pixels, columns = plan.bucket[0] * plan.bucket[1], plan.bucket[1]
    most = min(merging.top_k, pixels)
    none = pen.floats(-1)
    heat = pen("Where", pen("Greater", heat, pen.floats(merging.threshold)), heat, none)
    kernel, pad = merging.nms_kernel, merging.nms_kernel // 2
    pooled = pen("MaxPool", heat, kernel_shape=[kernel, kernel], pads=[pad] * 4)
    heat = pen("Where", pen("Equal", heat, pooled), heat, none)
    flat = pen("Reshape", heat, pen.longs([-1, pixels]))
    values, places = pen.many(2, "TopK", flat, pen.longs([most]), axis=1)
    limit = pen.floats([0])
    if most == merging.top_k:
        last = pen("Slice", values, pen.longs([most - 1]), pen.longs([most]), pen.longs([1]))
        limit = pen("Max", last, limit)
    missing = pen.floats(-MAX_PIXELS)
    keys = pen(
        "Where",
        pen("Greater", values, limit),
        pen("Neg", pen("Cast", places, to=TensorProto.FLOAT)),
        missing,
    )
    keys, _ = pen.many(2, "TopK", keys, pen.longs([most]), axis=1)
    exists = pen("Greater", keys, missing)
    place = pen("Neg", keys)
    y = pen("Floor", pen("Div", place, pen.floats(columns)))
    x = pen("Sub", place, pen("Mul", y, pen.floats(columns)))
    shape = pen.longs([-1, most, 1, 1])
    y, x = (pen("Reshape", pen("Where", exists, each, pen.floats(FAR)), shape) for each in (y, x))
    count = pen("ReduceSum", pen("Cast", exists, to=TensorProto.FLOAT), pen.longs([1]), keepdims=1)
    some = pen("Reshape", pen("Greater", count, pen.floats(0)), pen.longs([-1, 1, 1, 1]))
    return y, x, some


def _nearest(pen: _Pen, plan: Plan, y: str, x: str) -> str:
    """(N, 1, rows, columns) int32, from 1: the first of the nearest centers, by float32 square roots as published."""
    rows, columns = plan.bucket
    scale = plan.spec.stride
    if plan.spec.align_corners:
        scale = (rows - 1) // max(plan.cells[0] - 1, 1)
    offset = _enlarge(pen, "offset", plan)
    if scale != 1:
        offset = pen("Mul", offset, pen.floats(scale))
    down, right = pen.many(2, "Split", offset, axis=1, num_outputs=2)
    vote_y = pen("Add", pen.floats(np.arange(rows).reshape(1, 1, -1, 1)), down)
    vote_x = pen("Add", pen.floats(np.arange(columns).reshape(1, 1, 1, -1)), right)
    best = found = ""
    most = min(plan.merging.top_k, rows * columns)
    for first in range(0, most, CHUNK):
        part = pen.longs([first]), pen.longs([min(first + CHUNK, most)]), pen.longs([1])
        dy = pen("Sub", pen("Slice", y, *part), vote_y)
        dx = pen("Sub", pen("Slice", x, *part), vote_x)
        distance = pen("Sqrt", pen("Add", pen("Mul", dy, dy), pen("Mul", dx, dx)))
        least = pen("ReduceMin", distance, pen.longs([1]), keepdims=1)
        number = pen(
            "Add",
            pen("Cast", pen("ArgMin", distance, axis=1, keepdims=1), to=TensorProto.INT32),
            pen.ints(first + 1),
        )
        if not best:
            best, found = least, number
            continue
        found = pen("Where", pen("Less", least, best), number, found)
        best = pen("Min", best, least)
    return found
