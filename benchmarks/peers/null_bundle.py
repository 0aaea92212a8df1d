"""The `null` bundle: a network that costs nothing, so that what is measured is all around it.

Its heads are a drawn scene, whatever the photograph shows. The photograph is normalised all the same, and the heads
wait for it: work that the peers do in numpy and we do in the graph is not taken from one side only.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model.bundle import (
    MODEL,
    Bundle,
    CategorySpec,
    Certificate,
    HeadsSpec,
    InputSpec,
    Manifest,
    MergingSpec,
    OutputSpec,
    Size,
    Source,
    file_entry,
    read_bundle,
    write_manifest,
)
from model.categories import Category, load_categories, thing_indices

SIZE: Size = (512, 1024)
STRIDE = 4
THINGS = (5, 6)  # rows and columns of objects
SEED = 0
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # ImageNet's, RGB 0-255

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """Heads of one picture at the network's stride."""

    semantic: Floats  # (C, h, w)
    center: Floats  # (1, h, w)
    offset: Floats  # (2, h, w), (dy, dx) in pixels of this map


def draw_scene(categories: tuple[Category, ...], size: Size) -> Scene:
    """Smooth areas of stuff under 5 x 6 ellipses of things, which cover about a sixth.

    Args:
        size: rows and columns of the heads.
    """
    rng = np.random.default_rng(SEED)
    rows, columns = size
    fields = rng.normal(size=(rows // 24 + 2, columns // 24 + 2, len(categories))).astype(np.float32)
    semantic = np.asarray(cv2.resize(fields, (columns, rows), interpolation=cv2.INTER_CUBIC)).transpose(
        2, 0, 1
    )
    things = thing_indices(categories)
    semantic = semantic - 10 * np.isin(np.arange(len(categories)), things)[:, None, None]
    center, offset = np.zeros((1, rows, columns)), np.zeros((2, rows, columns))
    y, x = np.mgrid[:rows, :columns]
    for number, (row, column) in enumerate(np.ndindex(*THINGS)):
        middle_y = (row + rng.uniform(0.4, 0.6)) * rows / THINGS[0]
        middle_x = (column + rng.uniform(0.4, 0.6)) * columns / THINGS[1]
        down, right = middle_y - y, middle_x - x
        reach_y, reach_x = rng.uniform(0.15, 0.3, 2) * (rows / THINGS[0], columns / THINGS[1])
        inside = (down / reach_y) ** 2 + (right / reach_x) ** 2 < 1
        semantic[things[number % len(things)], inside] = 10
        offset[:, inside] = np.stack([down, right])[:, inside]
        center = np.maximum(center, np.exp(-(down**2 + right**2) / 8))
    return Scene(*(head.astype(np.float32) for head in (semantic, center, offset)))


def null_graph(scene: Scene, size: Size) -> onnx.ModelProto:
    """uint8 (N, H, W, 3) to the scene's heads, N times."""
    heads = {"semantic": scene.semantic, "center": scene.center, "offset": scene.offset}
    constants: dict[str, Floats | NDArray[np.int64]] = {
        "mean": np.array(MEAN, np.float32),
        "std": np.array(STD, np.float32),
        "nothing": np.array(0, np.float32),
        "first": np.zeros(3, np.int64),
        "second": np.ones(3, np.int64),
        "axes": np.array([1, 2, 3]),
        **{f"{name} scene": head[None] for name, head in heads.items()},
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["pixels", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["normal"]),
        helper.make_node("Transpose", ["normal"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Slice", ["planes", "first", "second", "axes"], ["corner"]),
        helper.make_node("Mul", ["corner", "nothing"], ["naught"]),
        *(helper.make_node("Add", ["naught", f"{name} scene"], [name]) for name in heads),
    ]
    graph = helper.make_graph(
        nodes,
        "null",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *size, 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *head.shape])
            for name, head in heads.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def write_null_bundle(path: Path, size: Size = SIZE) -> Bundle:
    """Write the bundle into a directory; Cityscapes' classes, 30 objects, heads at stride 4."""
    path.mkdir(parents=True, exist_ok=True)
    categories = load_categories("cityscapes")
    rows, columns = (side // STRIDE for side in size)
    onnx.save(null_graph(draw_scene(categories, (rows, columns)), size), path / MODEL)
    write_manifest(path, _manifest(path, categories, size))
    return read_bundle(path)


def _manifest(path: Path, categories: tuple[Category, ...], size: Size) -> Manifest:
    return Manifest(
        format=1,
        name="null",
        version="1",
        variant="null",
        licence="Apache-2.0",
        training_data="none; its heads are drawn",
        source=Source(sha256="0" * 64, flavour="own"),
        input=InputSpec(name="image", buckets=(size,), batch_sizes=(1, 2, 4, 8), pad_value=(124, 116, 104)),
        heads=HeadsSpec(
            stride=STRIDE,
            align_corners=False,
            outputs=(
                OutputSpec(name="semantic", channels=len(categories)),
                OutputSpec(name="center", channels=1),
                OutputSpec(name="offset", channels=2),
            ),
        ),
        categories=tuple(
            CategorySpec(id=row.id, name=row.name, isthing=row.isthing, color=row.color) for row in categories
        ),
        merging=MergingSpec(
            grid="input", threshold=0.1, nms_kernel=7, top_k=200, stuff_area=2048, label_divisor=1000
        ),
        files={MODEL: file_entry(path / MODEL)},
        certificate=Certificate(
            torch="none",
            onnxruntime="none",
            weights="none, the heads are drawn",
            images=(),
            max_abs_difference={},
            equal_panoptic_pixels=1.0,
        ),
        goldens=(),
    )
