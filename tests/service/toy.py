"""A toy bundle whose answer to a painted scene is known, without any trained network.

The graph reads a picture cell by cell of 4 x 4 pixels. Blue tells the class (a tent function around each class's
value), and where blue says thing, green and red tell how far below and right of the pixel its center lies: 128 is
the center itself, 128 + n lies n pixels on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from model.bundle import (
    MODEL,
    Bundle,
    Certificate,
    Golden,
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
from model.bundle import CategorySpec as Spec

STRIDE = 4
DIVISOR = 1000
BUCKETS: tuple[Size, ...] = ((96, 128), (128, 96))
CATEGORIES = (
    Spec(id=7, name="road", isthing=False, color=(128, 64, 128)),
    Spec(id=11, name="building", isthing=False, color=(70, 70, 70)),
    Spec(id=23, name="sky", isthing=False, color=(70, 130, 180)),
    Spec(id=0, name="other", isthing=False, color=(0, 0, 0), isvoid=True),
    Spec(id=24, name="person", isthing=True, color=(220, 20, 60)),
    Spec(id=26, name="car", isthing=True, color=(0, 0, 142)),
)
BLUE = (20, 60, 100, 140, 180, 220)
ROAD, BUILDING, SKY, OTHER, PERSON, CAR = range(6)
_TENT = 20.0  # half the distance of two classes' blues


@dataclass(frozen=True)
class Thing:
    """A rectangle of a thing class, in pixels of the scene."""

    index: int
    x: int
    y: int
    width: int
    height: int


def paint(stuff: Sequence[int], things: Sequence[Thing], size: Size) -> NDArray[np.uint8]:
    """Paint horizontal stripes of stuff, top to bottom, and things before them: (H, W, 3) RGB."""
    rows, columns = size
    scene = np.full((rows, columns, 3), 128, np.uint8)
    stripes = np.array(BLUE)[np.array(stuff)[np.arange(rows) * len(stuff) // rows]]
    scene[:, :, 2] = stripes[:, None]
    for thing in things:
        y, x = np.mgrid[thing.y : thing.y + thing.height, thing.x : thing.x + thing.width]
        patch = scene[thing.y : thing.y + thing.height, thing.x : thing.x + thing.width]
        patch[:, :, 0] = 128 + thing.x + thing.width // 2 - x
        patch[:, :, 1] = 128 + thing.y + thing.height // 2 - y
        patch[:, :, 2] = BLUE[thing.index]
    return scene


def write_toy(
    path: Path,
    *,
    grid: Literal["input", "output"] = "input",
    golden: NDArray[np.int32] | None = None,
    batch_sizes: tuple[int, ...] = (1, 2, 4),
) -> Bundle:
    """Write the bundle; `golden` is the expected answer to `golden_scene`, where the bundle shall have one."""
    path.mkdir(parents=True, exist_ok=True)
    onnx.save(toy_graph(), path / MODEL)
    files = [MODEL]
    goldens = []
    if golden is not None:
        Image.fromarray(golden_scene()).save(path / "golden.png")
        colors = np.stack([golden & 255, golden >> 8 & 255, golden >> 16], axis=2).astype(np.uint8)
        Image.fromarray(colors).save(path / "golden-panoptic.png")
        files += ["golden.png", "golden-panoptic.png"]
        goldens = [Golden(bucket=BUCKETS[0], image=files[1], panoptic=files[2], equal_pixels=0.999)]
    manifest = Manifest(
        format=1,
        name="toy",
        version="1.0",
        variant="toy",
        licence="Apache-2.0",
        training_data="none; its weights are written by hand",
        source=Source(sha256="0" * 64, flavour="own"),
        input=InputSpec(name="images", buckets=BUCKETS, batch_sizes=batch_sizes, pad_value=(128, 128, 140)),
        heads=HeadsSpec(
            stride=STRIDE,
            align_corners=False,
            outputs=(
                OutputSpec(name="semantic", channels=len(CATEGORIES)),
                OutputSpec(name="center", channels=1),
                OutputSpec(name="offset", channels=2),
            ),
        ),
        categories=CATEGORIES,
        merging=MergingSpec(
            grid=grid, threshold=0.5, nms_kernel=7, top_k=50, stuff_area=64, label_divisor=DIVISOR
        ),
        files={name: file_entry(path / name) for name in files},
        certificate=Certificate(
            torch="none",
            onnxruntime="none",
            weights="written by hand",
            images=(),
            max_abs_difference={},
            equal_panoptic_pixels=1.0,
        ),
        goldens=tuple(goldens),
    )
    write_manifest(path, manifest)
    return read_bundle(path)


def golden_scene() -> NDArray[np.uint8]:
    """A scene of the first bucket's size."""
    return paint((SKY, BUILDING, ROAD), [Thing(CAR, 16, 56, 32, 24), Thing(CAR, 64, 56, 32, 24)], BUCKETS[0])


def toy_graph() -> onnx.ModelProto:
    """uint8 (N, H, W, 3) to the three heads, every dimension but the last dynamic."""
    blues = np.array(BLUE, np.float32).reshape(1, -1, 1, 1)
    constants = {
        "blues": blues,
        "tent": np.float32(_TENT),
        "one": np.float32(1),
        "ten": np.float32(10),
        "zero": np.float32(0),
        "middle": np.float32(128),
        "stride": np.float32(STRIDE),
        "reach": np.float32(40 * 40),
        "thing": np.float32((BLUE[OTHER] + BLUE[PERSON]) / 2),
        "widths": np.array([1, 1, 1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node(
            "AveragePool", ["planes"], ["cells"], kernel_shape=[STRIDE] * 2, strides=[STRIDE] * 2
        ),
        helper.make_node("Split", ["cells", "widths"], ["red", "green", "blue"], axis=1),
        helper.make_node("Sub", ["blue", "blues"], ["apart"]),
        helper.make_node("Abs", ["apart"], ["distance"]),
        helper.make_node("Div", ["distance", "tent"], ["far"]),
        helper.make_node("Sub", ["one", "far"], ["near"]),
        helper.make_node("Relu", ["near"], ["tents"]),
        helper.make_node("Mul", ["tents", "ten"], ["semantic"]),
        helper.make_node("Sub", ["red", "middle"], ["right"]),
        helper.make_node("Sub", ["green", "middle"], ["down"]),
        helper.make_node("Concat", ["down", "right"], ["way"], axis=1),
        helper.make_node("Div", ["way", "stride"], ["offset"]),
        helper.make_node("ReduceSumSquare", ["way", "channels"], ["square"], keepdims=1),
        helper.make_node("Div", ["square", "reach"], ["wide"]),
        helper.make_node("Sub", ["one", "wide"], ["heat"]),
        helper.make_node("Relu", ["heat"], ["warm"]),
        helper.make_node("Greater", ["blue", "thing"], ["isthing"]),
        helper.make_node("Where", ["isthing", "warm", "zero"], ["center"]),
    ]
    constants["channels"] = np.array([1], np.int64)
    heads = {"semantic": len(CATEGORIES), "center": 1, "offset": 2}
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", "H", "W", 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", channels, "h", "w"])
            for name, channels in heads.items()
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
