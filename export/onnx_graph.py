"""The ONNX graph of a network: uint8 pictures in, heads at network stride out.

Every change made for the graph lives here; the network stays as it is.
"""

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.network.decoder import Fusion
from model.network.layers import ConvNorm
from model.network.panoptic_deeplab import PanopticDeepLab, normalize
from model.variants import STRIDES, Variant

INPUT = "image"
OUTPUTS = ("semantic", "center", "offset")
OPSET = 20
MAX_BATCH = 256
MAX_SIDE = 8192  # pixels; both only bound the free shapes
SIDES = ("rows", "columns")

Size = tuple[int, int]  # rows, columns


@dataclass(frozen=True)
class Sides:
    """The form of the sides that a graph takes: step * k + rest pixels."""

    step: int
    rest: int

    def holds(self, size: Size) -> bool:
        """Whether both sides are of this form."""
        return all(side % self.step == self.rest for side in size)

    def __str__(self) -> str:
        return f"multiples of {self.step}{' plus 1' if self.rest else ''}"


class GraphNetwork(nn.Module):
    """What is traced: cast and normalisation within, so that a host moves bytes only; batch norms folded."""

    def __init__(self, network: PanopticDeepLab):
        super().__init__()
        self.network = _with_folded_norms(network)
        _state_scales(self.network)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, H, W, 3) uint8 RGB to semantic, center and offset at the variant's stride."""
        semantic, center, offset = self.network(normalize(image, self.network.variant.input))
        return semantic, center, offset


def write_graph(network: PanopticDeepLab, path: Path, *, size: Size | None = None) -> None:
    """Trace the network, in eval mode, and write one ONNX file with fp32 weights and folded batch norms.

    Args:
        size: rows and columns to fix; None leaves them free, of the form of `Sides`. The batch is always free.
    Raises: ValueError: a side of `size` is not of that form.
    """
    form = side_form(network.variant)
    if size is not None and not form.holds(size):
        raise ValueError(f"the sides of {size[0]}x{size[1]} must be {form}")
    rows, columns = size or _example_size(network.variant)
    sides = (
        {}
        if size
        else {
            axis: form.step * Dim(name, max=MAX_SIDE // form.step) + form.rest
            for axis, name in enumerate(SIDES, start=1)
        }
    )
    with quiet():
        program = torch.onnx.export(
            GraphNetwork(network),
            (torch.zeros(2, rows, columns, 3, dtype=torch.uint8),),
            dynamo=True,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: Dim("batch", max=MAX_BATCH)} | sides,),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    graph = _without_traces(program.model_proto)
    _name_sides(graph, replace(form, step=form.step // network.variant.stride))
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))


def side_form(variant: Variant) -> Sides:
    """Multiples of the coarsest stride; one more where upsampling aligns corners, to keep corners on corners.

    The published sizes are of this form.
    """
    return Sides(variant.coarsest_stride, rest=1 if variant.align_corners else 0)


def _with_folded_norms(network: PanopticDeepLab) -> PanopticDeepLab:
    folded = copy.deepcopy(network).eval()
    for block in folded.modules():
        if isinstance(block, ConvNorm):
            conv, norm = block.conv, block.norm
            assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            block.conv, block.norm = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return folded


def _state_scales(network: PanopticDeepLab) -> None:
    """Let the decoders enlarge by a number that is known, and not by sizes that each run computes.

    ONNX Runtime enlarges by such numbers in the layout of its convolutions, which it leaves for computed sizes. Where
    corners are aligned there is no such number.
    """
    variant = network.variant
    if variant.align_corners:
        return
    for decoder in (network.semantic_decoder, network.instance_decoder):
        stride = variant.coarsest_stride
        for name, stage in decoder.stages.items():
            assert isinstance(stage, Fusion)
            stage.scale, stride = stride // STRIDES[name], STRIDES[name]


def _example_size(variant: Variant) -> Size:
    """Sides that differ and exceed the pooling kernel, so that tracing takes neither for a constant."""
    kernel = variant.pooling_kernel or (6, 8)
    form = side_form(variant)
    rows, columns = (
        (cells + more) * form.step + form.rest for cells, more in zip(kernel, (2, 4), strict=True)
    )
    return rows, columns


def _name_sides(graph: onnx.ModelProto, form: Sides) -> None:
    """Name free sides of the heads by those of the input; the exporter gives them running numbers."""
    for output in graph.graph.output:
        _, _, *sides = output.type.tensor_type.shape.dim
        for side, name in zip(sides, SIDES, strict=True):
            if side.dim_param:
                side.dim_param = f"{form.step}*{name}{' + 1' if form.rest else ''}"


def _without_traces(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the exporter's notes: they hold source lines and paths of the machine that traced."""
    del graph.metadata_props[:]
    for part in (
        graph.graph,
        *graph.graph.node,
        *graph.graph.input,
        *graph.graph.output,
        *graph.graph.value_info,
    ):
        del part.metadata_props[:]
        part.doc_string = ""
    for tensor in graph.graph.initializer:
        del tensor.metadata_props[:]
    del graph.functions[:]
    return graph


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """For libraries that warn and log of their own inner workings, as torch's exporter does in hundreds of lines."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
