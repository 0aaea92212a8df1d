"""The merging in the graph equals the reference, pixel for pixel."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray
from PIL import Image

from export.commands.merge import merge
from export.merged import labels_of, merged_graph
from export.merging_graph import merging_graph
from export.merging_plan import Plan
from export.tensorrt import open_runtime, parse
from model.bundle import Bundle, HeadsSpec, MergingSpec, OutputSpec, read_bundle
from model.categories import load_categories, thing_indices, void_indices
from model.fit import Sizes
from model.merged import MAPS
from model.network.panoptic_deeplab import Heads
from model.parity.merging import merge_row
from model.tail import finish
from model.variants import EFFICIENTNET_LITE0, R52_DC5, Merging, Variant, find_variant

GOLDENS = Path(__file__).parents[1] / "goldens"
FIELDS = ("threshold", "nms_kernel", "top_k", "stuff_area", "label_divisor")


@pytest.fixture(scope="module")
def post() -> NpzFile:
    return np.load(GOLDENS / "post.npz", allow_pickle=False)


@pytest.fixture(scope="module")
def tail() -> NpzFile:
    return np.load(GOLDENS / "tail.npz", allow_pickle=False)


def plan_of(
    shape: tuple[int, int], classes: int, merging: MergingSpec, stride: int = 1, align: bool = False
) -> Plan:
    outputs = tuple(OutputSpec(name=name, channels=1) for name in ("semantic", "center", "offset"))
    spec = HeadsSpec(stride=stride, align_corners=align, outputs=outputs)
    bucket = tuple((side - 1) * stride + 1 if align else side * stride for side in shape)
    return Plan((bucket[0], bucket[1]), shape, classes, spec, merging)


def run(plan: Plan, *heads: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
    session = onnxruntime.InferenceSession(
        merging_graph(plan).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, dict(zip(("semantic", "center", "offset"), heads, strict=True)))


def names(
    maps: list[NDArray[np.uint8]], plan: Plan, things: tuple[int, ...], voids: tuple[int, ...] = ()
) -> list[NDArray[np.int64]]:
    return [
        labels_of(
            classes,
            instances,
            count=plan.classes,
            things=things,
            voids=voids,
            stuff_area=plan.merging.stuff_area,
            label_divisor=plan.merging.label_divisor,
        )
        for classes, instances in zip(*maps, strict=True)
    ]


def test_every_golden_of_the_merging_is_answered_alike(post: NpzFile) -> None:
    rows = [row for row in json.loads(str(post["index"])) if row["nms_kernel"] % 2 and row["top_k"]]
    wrong = []
    for row in rows:
        semantic = post[f"{row['name']}/sem"].astype(np.int64)
        count = max([int(semantic.max()), *row["things"]]) + 1
        logits = np.eye(count, dtype=np.float32)[semantic].transpose(2, 0, 1)[None]
        heat, offset = (post[f"{row['name']}/{key}"].astype(np.float32) for key in ("ctr", "off"))
        merging = MergingSpec(grid="output", **{key: row[key] for key in FIELDS})
        plan = plan_of((semantic.shape[0], semantic.shape[1]), count, merging)
        (found,) = names(run(plan, logits, heat[None, None], offset[None]), plan, tuple(row["things"]))
        if not np.array_equal(found, merge_row(post, row).numpy()):
            wrong.append(row["name"])

    assert len(rows) > 30
    assert wrong == []


def test_every_golden_of_the_tail_is_answered_alike_at_its_own_size(tail: NpzFile) -> None:
    wrong = []
    rows = json.loads(str(tail["index"]))
    for row in rows:
        logits, heat, offset = (
            tail[f"{row['name']}/{key}"].astype(np.float32) for key in ("logits", "ctr", "off")
        )
        merging = MergingSpec(grid="output", **{key: row[key] for key in FIELDS})
        plan = plan_of((heat.shape[0], heat.shape[1]), len(logits), merging)
        (found,) = names(run(plan, logits[None], heat[None, None], offset[None]), plan, tuple(row["things"]))
        expected = tail[f"{row['name']}/panoptic_old"]
        if not np.array_equal(np.where(found < 0, 255 * row["label_divisor"], found), expected):
            wrong.append(row["name"])

    assert wrong == []


@pytest.mark.parametrize(
    "variant", [EFFICIENTNET_LITE0, R52_DC5, find_variant("mobilenet-v2-os32")], ids=lambda each: each.name
)
@pytest.mark.parametrize("batch", [1, 3])
def test_heads_at_network_stride_become_what_the_reference_makes_of_them(
    variant: Variant, batch: int
) -> None:
    generator = np.random.default_rng(batch)
    categories = load_categories(variant.label_set)
    merging = MergingSpec(
        grid="output", threshold=0.3, nms_kernel=5, top_k=30, stuff_area=64, label_divisor=1000
    )
    cells = (13, 21)
    plan = plan_of(cells, len(categories), merging, variant.stride, variant.align_corners)
    heads = [
        generator.normal(size=(batch, channels, *cells)).astype(np.float32)
        for channels in (len(categories), 1, 2)
    ]

    found = names(run(plan, *heads), plan, thing_indices(categories), void_indices(categories))

    sizes = Sizes(plan.bucket, plan.bucket, plan.bucket)
    numbers = Merging(**{key: getattr(merging, key) for key in FIELDS})
    for index in range(batch):
        row = Heads(*(torch.from_numpy(head[index : index + 1]) for head in heads))
        expected = finish(row, variant, sizes, merging=numbers).labels.numpy()
        np.testing.assert_array_equal(found[index], expected)


def test_the_embedded_bundle_answers_a_photograph_alike_with_the_merging_in_its_graph(
    root: Path, photo: Path
) -> None:
    bundle = read_bundle(root / "service" / "bundles" / "street")
    bucket = bundle.manifest.input.buckets[0]
    with Image.open(photo) as image:
        picture = np.asarray(image.resize((bucket[1], bucket[0])))[None]
    heads = onnxruntime.InferenceSession(str(bundle.model), providers=["CPUExecutionProvider"]).run(
        None, {"image": picture}
    )
    graph = merged_graph(bundle, bucket)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])

    found = labels_as(bundle, session.run(None, {"image": picture}))

    numbers = Merging(**bundle.manifest.merging.model_dump(exclude={"grid"}))
    row = Heads(*(torch.from_numpy(head) for head in heads))
    expected = finish(row, EFFICIENTNET_LITE0, Sizes(bucket, bucket, bucket), merging=numbers, grid="input")
    np.testing.assert_array_equal(found, expected.labels.numpy())


def labels_as(bundle: Bundle, maps: list[NDArray[np.uint8]]) -> NDArray[np.int64]:
    categories = bundle.manifest.categories
    return labels_of(
        maps[0][0],
        maps[1][0],
        count=len(categories),
        things=[index for index, each in enumerate(categories) if each.isthing],
        voids=[index for index, each in enumerate(categories) if each.isvoid],
        stuff_area=bundle.manifest.merging.stuff_area,
        label_divisor=bundle.manifest.merging.label_divisor,
    )


def test_tensorrt_takes_the_merging_in_the_graph(root: Path) -> None:
    bundle = read_bundle(root / "service" / "bundles" / "street")

    graph = merged_graph(bundle, bundle.manifest.input.buckets[0])

    assert parse(open_runtime("tensorrt-rtx"), graph) == []


@pytest.mark.parametrize("align", [False, True])
def test_tensorrt_takes_the_merging_of_either_enlargement(align: bool) -> None:
    merging = MergingSpec(
        grid="output", threshold=0.1, nms_kernel=7, top_k=200, stuff_area=2048, label_divisor=1000
    )

    graph = merging_graph(plan_of((33, 65), 19, merging, 4, align))

    assert parse(open_runtime("tensorrt-rtx"), graph) == []


def test_the_maps_of_a_common_label_set_are_bytes(root: Path) -> None:
    bundle = read_bundle(root / "service" / "bundles" / "street")

    graph = merged_graph(bundle, bundle.manifest.input.buckets[0]).graph

    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.output}
    assert {kinds[name] for name in MAPS} == {onnx.TensorProto.UINT8}


def test_no_tensor_holds_every_class_at_full_size(root: Path) -> None:
    bundle = read_bundle(root / "service" / "bundles" / "street")
    rows, columns = bundle.manifest.input.buckets[0]
    graph = onnx.shape_inference.infer_shapes(merged_graph(bundle, (rows, columns)), data_prop=True).graph

    shapes = [[side.dim_value for side in value.type.tensor_type.shape.dim] for value in graph.value_info]

    assert max(shape[1] for shape in shapes if shape[2:] == [rows, columns]) <= 8


def test_the_command_writes_a_graph_for_each_bucket_proved_on_its_golden(root: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(merge, [str(root / "service" / "bundles" / "street"), "--out", str(tmp_path)])

    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.glob("*.onnx")) == ["384x512.onnx", "512x384.onnx"]
    assert result.stdout.count("of the golden's pixels as expected") == 2
