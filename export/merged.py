"""Maps of a merging graph become labels: one histogram and one table, which is all that is left for the host.

And the graph of a bundle with the merging in it, for one of its buckets.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import compose, shape_inference

from export import ExportError
from export.goldens import read_golden
from export.merging_graph import merging_graph
from export.merging_plan import Plan
from export.onnx_graph import OUTPUTS
from model.bundle import MODEL, Bundle, Golden, Size, file_entry
from model.merged import MAPS, TABLES, MergedRecord, merged_name, record_path

VOID = -1

Report = Callable[[str], None]

Numbers = NDArray[np.uint8] | NDArray[np.int32]


def merged_graph(bundle: Bundle, bucket: Size, graph: onnx.ModelProto | None = None) -> onnx.ModelProto:
    """The bundle's graph with the merging behind it: pictures of one bucket in, maps out.

    Its maps answer photographs of the bucket's own size, where both grids agree, and its tables score them.

    Args:
        graph: the network's, the bundle's own where None; of any precision, with float32 heads.
    """
    network = onnx.ModelProto()
    network.CopyFrom(graph or onnx.load(str(bundle.model)))
    manifest = bundle.manifest
    _fix_sides(network, manifest.input.name, bucket)
    semantic = next(value for value in network.graph.output if value.name == "semantic")
    _, _, *cells = (side.dim_value for side in semantic.type.tensor_type.shape.dim)
    things = tuple(index for index, each in enumerate(manifest.categories) if each.isthing)
    plan = Plan(
        bucket, (cells[0], cells[1]), len(manifest.categories), manifest.heads, manifest.merging, things
    )
    merging = merging_graph(plan)
    merging.ir_version = network.ir_version
    merged = compose.merge_models(
        network, merging, io_map=[(name, name) for name in OUTPUTS], outputs=[*MAPS, *TABLES]
    )
    onnx.checker.check_model(merged)
    return merged


def labels_of(
    classes: Numbers,
    instances: Numbers,
    *,
    count: int,
    things: Sequence[int],
    voids: Sequence[int] = (),
    stuff_area: float,
    label_divisor: int,
) -> NDArray[np.int64]:
    """Name what the maps of one picture hold: (H, W) labels as `model.grouping.merge` gives them.

    Args:
        classes, instances: (H, W).
        count: how many classes there are.
    """
    codes = instances.astype(np.int64) * count + classes.astype(np.int64)
    most = int(instances.max()) + 1
    histogram = np.bincount(codes.ravel(), minlength=most * count).reshape(most, count)
    table = np.full((most, count), VOID, np.int64)
    thing = np.isin(np.arange(count), things)
    numbers = [0] * count
    for number, votes in enumerate(histogram[1:] * thing, start=1):
        if votes.any():
            index = int(votes.argmax())
            numbers[index] += 1
            table[number, thing] = index * label_divisor + numbers[index]
    areas = histogram.sum(axis=0)
    for stuff in np.flatnonzero(~thing & (areas >= stuff_area) & ~np.isin(np.arange(count), voids)):
        table[:, stuff] = stuff * label_divisor
    return table.ravel()[codes]


def write_merged(bundle: Bundle, out: Path, report: Report) -> Iterator[tuple[Path, float]]:
    """Write a graph for each bucket that has a golden, and prove it there: its file, and the share of equal pixels.

    Beside each stands its record, `model.merged.MergedRecord`, by which the service believes it.

    Raises: ExportError: it answers a golden otherwise than the bundle promises; nothing is written for that bucket.
    """
    out.mkdir(parents=True, exist_ok=True)
    for golden in bundle.manifest.goldens:
        name = merged_name(golden.bucket)
        report(f"merging in the graph of {name}")
        graph = merged_graph(bundle, golden.bucket).SerializeToString()
        share = _share(bundle, golden, graph)
        if share < golden.equal_pixels:
            raise ExportError(
                f"{name} answers {share:.2%} of the golden's pixels as expected, {golden.equal_pixels:.2%} must be."
            )
        part = out / f"{name}.part"
        part.write_bytes(graph)
        record = MergedRecord(
            model_sha256=bundle.manifest.files[MODEL].sha256,
            bucket=golden.bucket,
            merging=bundle.manifest.merging,
            graph=file_entry(part),
        )
        record_path(out / name).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        yield part.replace(out / name), share


def _share(bundle: Bundle, golden: Golden, graph: bytes) -> float:
    """The share of the golden's pixels that the graph and the host answer as expected."""
    picture, expected = read_golden(bundle, golden)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    feed = {bundle.manifest.input.name: picture.as_batch().numpy()}
    classes, instances = session.run(list(MAPS), feed)  # (1, rows, columns)
    categories, merging = bundle.manifest.categories, bundle.manifest.merging
    labels = labels_of(
        classes[0],
        instances[0],
        count=len(categories),
        things=[index for index, each in enumerate(categories) if each.isthing],
        voids=[index for index, each in enumerate(categories) if each.isvoid],
        stuff_area=merging.stuff_area,
        label_divisor=merging.label_divisor,
    )
    return float((labels + 1 == expected).mean())


def _fix_sides(graph: onnx.ModelProto, input_: str, bucket: Size) -> None:
    """Fix rows and columns of the input; what follows is inferred anew."""
    (image,) = (value for value in graph.graph.input if value.name == input_)
    for side, size in zip(image.type.tensor_type.shape.dim[1:3], bucket, strict=True):
        side.dim_value = size
    for value in graph.graph.output:
        for side in value.type.tensor_type.shape.dim[2:]:
            side.Clear()
    del graph.graph.value_info[:]
    graph.CopyFrom(shape_inference.infer_shapes(graph, data_prop=True))
