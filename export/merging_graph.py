"""The published merging as an ONNX graph: heads at network stride in, maps of small integers at the input's size out.

So a picture of two megapixels leaves the device as 4 MB of maps and not as 40 MB of heads. Every step equals
`model.grouping`, the reference; what makes names of the maps, one histogram and one table, is `export.merged`.
Shapes are static but for the batch. TensorRT refuses NonZero and scatter-add: centers come of TopK, and counting is
left to the host. No tensor holds all classes at full size: the semantic map runs through them one by one.
"""

from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

from export import ExportError
from export.merging_plan import CHUNK, Plan
from export.onnx_graph import OPSET, OUTPUTS
from export.pen import Pen
from export.score_graph import sum_chances
from model.merged import MAPS, TABLES

FAR = 1e9  # where centers lie that there are not
MAX_PIXELS = 1 << 24  # float32 counts no further, and places are sorted as float32
MAX_SMALL = 255  # of uint8


class _Centers(NamedTuple):
    """The K centers, in row-major order."""

    y: str  # (N, K, 1, 1) float32, FAR where there is none
    x: str
    some: str  # (N, 1, 1, 1) whether there are any
    places: str  # (N, K) float32, row times columns plus column; -1 where there is none
    heat: str  # (N, K) float32


def merging_graph(plan: Plan) -> onnx.ModelProto:
    """Write the graph: semantic, center and offset in, `classes` and `instances` out, both (N, rows, columns).

    `classes` holds class indices, `instances` the number of the nearest center, from 1 in row-major order, on stuff
    too; 0 everywhere where a picture has none. uint8 where that suffices, else int32.

    Where the plan names the things, what else an answer needs comes out too: `places` (N, K) int32 of the centers, row
    times columns plus column, -1 where there is none; their `heat` (N, K) float32; `sampled` and `whole` (N, K + 1, C)
    float32, sums of probabilities as `export.score_graph` has them; and `sound` (N, 1) float32, 0 where all heads are
    numbers, else NaN.

    Raises: ExportError: the bucket has more pixels than float32 counts.
    """
    rows, columns = plan.bucket
    if rows * columns > MAX_PIXELS:
        raise ExportError(
            f"{rows}x{columns} has more than {MAX_PIXELS} pixels, too many to be merged in a graph."
        )
    pen = Pen()
    classes = _classes(pen, plan)
    centers = _centers(pen, plan, _enlarge(pen, "center", plan))
    instances = pen("Where", centers.some, _nearest(pen, plan, centers.y, centers.x), pen.ints(0))
    kinds = [_small(plan.classes - 1), _small(plan.merging.top_k - 1)]
    for name, found, kind in zip(MAPS, (classes, instances), kinds, strict=True):
        flat = pen("Reshape", found, pen.longs([-1, rows, columns]))
        pen.nodes.append(helper.make_node("Cast", [flat], [name], name=f"merging {name}", to=kind))
    outputs = [
        helper.make_tensor_value_info(name, kind, ["batch", rows, columns])
        for name, kind in zip(MAPS, kinds, strict=True)
    ]
    if plan.things is not None:
        outputs += _write_tables(pen, plan, classes, instances, centers)
    heads = {"semantic": plan.classes, "center": 1, "offset": 2}
    graph = helper.make_graph(
        pen.nodes,
        "merging",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, *plan.cells])
            for name, channels in heads.items()
        ],
        outputs,
        list(pen.constants.values()),
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(made)
    return made


def _small(most: int) -> int:
    return int(TensorProto.UINT8 if most <= MAX_SMALL else TensorProto.INT32)


def _enlarge(pen: Pen, head: str, plan: Plan) -> str:
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


def _classes(pen: Pen, plan: Plan) -> str:
    """(N, 1, rows, columns) int32: the first of the largest logits."""
    parts = pen.many(plan.classes, "Split", "semantic", axis=1, num_outputs=plan.classes)
    best = _enlarge(pen, parts[0], plan)
    found = pen("Cast", pen("Greater", best, best), to=TensorProto.INT32)  # 0 for what is no number too
    for index, part in enumerate(parts[1:], start=1):
        value = _enlarge(pen, part, plan)
        found = pen("Where", pen("Greater", value, best), pen.ints(index), found)
        best = pen("Max", best, value)
    return found


def _write_tables(
    pen: Pen, plan: Plan, classes: str, instances: str, centers: _Centers
) -> list[onnx.ValueInfoProto]:
    """Write what scores need; returns the outputs."""
    sampled, whole = sum_chances(pen, plan, classes, instances)
    nothing = [
        pen("ReduceSum", pen("Mul", head, pen.floats(0)), pen.longs([1, 2, 3]), keepdims=0)
        for head in OUTPUTS
    ]
    sound = pen("Reshape", pen("Sum", *nothing), pen.longs([-1, 1]))
    places = pen("Cast", centers.places, to=TensorProto.INT32)
    table = [plan.most + 1, plan.classes]
    shapes = ([plan.most], [plan.most], table, table, [1])
    for name, found in zip(TABLES, (places, centers.heat, sampled, whole, sound), strict=True):
        pen.nodes.append(helper.make_node("Identity", [found], [name], name=f"merging {name}"))
    return [
        helper.make_tensor_value_info(
            name, TensorProto.INT32 if name == "places" else TensorProto.FLOAT, ["batch", *shape]
        )
        for name, shape in zip(TABLES, shapes, strict=True)
    ]


def _centers(pen: Pen, plan: Plan, heat: str) -> _Centers:
    """The peaks of the heat map."""
    merging, most = plan.merging, plan.most
    pixels, columns = plan.bucket[0] * plan.bucket[1], plan.bucket[1]
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
    keys, order = pen.many(2, "TopK", keys, pen.longs([most]), axis=1)
    exists = pen("Greater", keys, missing)
    place = pen("Neg", keys)
    y = pen("Floor", pen("Div", place, pen.floats(columns)))
    x = pen("Sub", place, pen("Mul", y, pen.floats(columns)))
    shape = pen.longs([-1, most, 1, 1])
    y, x = (pen("Reshape", pen("Where", exists, each, pen.floats(FAR)), shape) for each in (y, x))
    count = pen("ReduceSum", pen("Cast", exists, to=TensorProto.FLOAT), pen.longs([1]), keepdims=1)
    some = pen("Reshape", pen("Greater", count, pen.floats(0)), pen.longs([-1, 1, 1, 1]))
    places = pen("Where", exists, place, none)
    return _Centers(y, x, some, places, pen("GatherElements", values, order, axis=1))


def _nearest(pen: Pen, plan: Plan, y: str, x: str) -> str:
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
    for first in range(0, plan.most, CHUNK):
        part = pen.longs([first]), pen.longs([min(first + CHUNK, plan.most)]), pen.longs([1])
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
