"""The null bundle: a graph whose heads are constants, so that serving it costs what is around a network, and no more.

The graph reads of its input nothing but how many pictures there are, and answers each with the same drawn scene. Where
it is to stand beside servers that normalise on their own, it normalises too, and the heads wait for it.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from export import EQUAL_PIXELS, ExportError
from export.bundle import built_beside, check_place, list_files
from export.certificate import Agreement, answer, make_certificate, open_graph
from export.goldens import FOLDER, encode_labels
from export.manifest import Recipe, check_sizes, make_manifest
from export.onnx_graph import INPUT, OPSET, OUTPUTS
from export.pictures import Picture, exact
from model.bundle import MODEL, Bundle, Golden, Manifest, Size, read_bundle, write_manifest
from model.categories import load_categories
from model.declaration import merging_spec
from model.network.panoptic_deeplab import Heads
from model.scene import Scene, draw_scene, photograph, variant_of
from model.variants import Variant
from model.variants.specs import Input

BATCH_SIZES = (1, 2, 4, 8)

Part = tuple[list[onnx.NodeProto], list[TensorProto]]
"""Nodes of a graph, and their constants."""


def write_null_bundle(
    out: Path, *, size: Size, instances: int, classes: int, normalised: bool = False
) -> Bundle:
    """Write a bundle of one bucket, proved like any other; an older bundle in its place is replaced.

    Args:
        normalised: whether the graph normalises the picture, for nothing.
    Raises: ExportError: no label set has so many classes, the size does not suit them, so many instances have no
        room, something else is at `out`, or the graph does not give the scene back.
    """
    check_place(out)
    recipe = _recipe(size, instances)
    variant, scene = _draw(size, instances, classes, recipe)
    with built_beside(out) as folder:
        write_null_graph(folder / MODEL, scene, variant.input if normalised else None)
        _prove(open_graph(folder / MODEL), scene, size)
        golden, picture = _write_golden(folder, variant, scene, recipe)
        certificate = make_certificate(
            Agreement(dict.fromkeys(("semantic", "center", "offset"), 0.0), {}, 1.0),
            [picture],
            "none: the heads are constants",
        )
        manifest = make_manifest(folder / MODEL, variant, recipe, list_files(folder), certificate, [golden])
        write_manifest(folder, _as_own(manifest))
    return read_bundle(out)


def write_null_graph(path: Path, scene: Scene, normalisation: Input | None = None) -> None:
    """Write a graph that answers every picture of a batch with the scene.

    Args:
        normalisation: mean and standard deviation that the picture is brought to before; None leaves it out.
    """
    nodes, constants = _count() if normalisation is None else _normalise(normalisation)
    outputs = []
    for name in OUTPUTS:
        head = getattr(scene, name)
        constants.append(numpy_helper.from_array(head, f"{name} of one"))
        nodes.append(helper.make_node("Add", [f"{name} of one", "naught"], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *head.shape[1:]]))
    image = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["batch", "rows", "columns", 3])
    graph = helper.make_model(
        helper.make_graph(nodes, "null", [image], outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
    )
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))


def _count() -> Part:
    """A nought for each picture, (N, 1, 1, 1), from their number alone."""
    nodes = [
        helper.make_node("Shape", [INPUT], ["count"], start=0, end=1),
        helper.make_node("Concat", ["count", "ones"], ["noughts"], axis=0),
        helper.make_node("ConstantOfShape", ["noughts"], ["naught"]),
    ]
    return nodes, [numpy_helper.from_array(np.ones(3, np.int64), "ones")]


def _normalise(numbers: Input) -> Part:
    """A nought for each picture, (N, 1, 1, 1), out of a corner of the normalised picture."""
    constants: dict[str, NDArray[Any]] = {
        "mean": np.array(numbers.mean, np.float32)[:, None, None],
        "std": np.array(numbers.std, np.float32)[:, None, None],
        "zero": np.array(0, np.float32),
        "first": np.zeros(3, np.int64),
        "second": np.ones(3, np.int64),
        "axes": np.array([1, 2, 3]),
    }
    nodes = [
        helper.make_node("Cast", [INPUT], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["planes", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["normal"]),
        helper.make_node("Slice", ["normal", "first", "second", "axes"], ["corner"]),
        helper.make_node("Mul", ["corner", "zero"], ["naught"]),
    ]
    return nodes, [numpy_helper.from_array(value, name) for name, value in constants.items()]


def _draw(size: Size, instances: int, classes: int, recipe: Recipe) -> tuple[Variant, Scene]:
    try:
        variant = variant_of(classes)
        check_sizes(variant, recipe)
        isthing = [category.isthing for category in load_categories(variant.label_set)]
        return variant, draw_scene(size, isthing=isthing, instances=instances, stride=variant.stride)
    except ValueError as error:
        raise ExportError(f"{error}.") from error


def _recipe(size: Size, instances: int) -> Recipe:
    return Recipe(
        name="null",
        version="1",
        licence="Apache-2.0",
        training_data=f"none; {instances} instances are drawn",
        weights="none",
        published=None,
        buckets=(size,),
        batch_sizes=BATCH_SIZES,
        grid="output",
    )


def _prove(session: onnxruntime.InferenceSession, scene: Scene, size: Size) -> None:
    """Every row of every batch is the scene, to the last bit: so one golden proves all rows."""
    for count in BATCH_SIZES:
        found = session.run(list(OUTPUTS), {INPUT: np.zeros((count, *size, 3), np.uint8)})
        for name, head in zip(OUTPUTS, found, strict=True):
            if not np.array_equal(head, np.repeat(getattr(scene, name), count, axis=0)):
                raise ExportError(f"the graph changes {name} in a batch of {count}. No bundle was written.")


def _write_golden(folder: Path, variant: Variant, scene: Scene, recipe: Recipe) -> tuple[Golden, Picture]:
    """The scene's photograph, and the reference's answer to the scene."""
    size = recipe.buckets[0]
    colors = [category.color for category in load_categories(variant.label_set)]
    stem = f"{FOLDER}/{size[0]}x{size[1]}"
    golden = Golden(
        bucket=size, image=f"{stem}.png", panoptic=f"{stem}.panoptic.png", equal_pixels=EQUAL_PIXELS
    )
    picture = exact(golden.image, photograph(scene, colors, size))
    heads = Heads(*(torch.from_numpy(getattr(scene, name)) for name in OUTPUTS))
    labels = answer(heads, picture, variant, merging_spec(variant, recipe.grid))
    (folder / FOLDER).mkdir()
    Image.fromarray(picture.image).save(folder / golden.image)
    Image.fromarray(encode_labels(labels)).save(folder / golden.panoptic)
    return golden, picture


def _as_own(manifest: Manifest) -> Manifest:
    """The source of the constants is the graph itself, which nobody published."""
    flavour: Literal["own"] = "own"
    return manifest.model_copy(update={"source": manifest.source.model_copy(update={"flavour": flavour})})
