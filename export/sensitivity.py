"""`python -m export.sensitivity`: which layers a shorter number format hurts, from the worst.

Both graphs run the same photographs. A layer's figure is the ratio of signal to noise of its convolution's output, in
decibels: 10 log10 (mean square of fp32 / mean square of the difference). It holds all that was lost before it, too, so
a layer that hurts is one where the figure drops, which is the last column.
"""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from export import ExportError
from export.commands.words import FILE, photographs
from export.onnx_graph import INPUT
from export.pictures import Picture, fit, read_photograph
from model.bundle import Bundle, BundleError, read_bundle
from model.command_line import run_command
from model.parity.report import markdown_line


@dataclass(frozen=True)
class Layer:
    """What a convolution's output lost."""

    name: str
    decibels: float
    drop: float  # decibels less than the layer before it, in the graph's order


@click.command("python -m export.sensitivity")
@click.argument("fp32", type=FILE)
@click.argument("other", type=FILE)
@click.option(
    "--images", type=FILE, multiple=True, required=True, metavar="PHOTO", help="Photograph, or a folder."
)
@click.option(
    "--worst", type=click.IntRange(1), default=10, show_default=True, help="How many layers to print."
)
def sensitivity(fp32: Path, other: Path, images: tuple[Path, ...], worst: int) -> None:
    """Compare the bundle OTHER with the bundle FP32 it was made of, layer by layer, and print a Markdown table."""
    source, shorter = read_bundle(fp32), read_bundle(other)
    spec = source.manifest.input
    pictures = [fit(read_photograph(path), spec.buckets, spec.pad_value) for path in photographs(images)]
    layers = compare_layers(source, shorter, pictures)
    titles = ["layer", "decibels", "drop"]
    click.echo(markdown_line(titles))
    click.echo(markdown_line(["---", "--:", "--:"]))
    for layer in sorted(layers, key=lambda layer: -layer.drop)[:worst]:
        click.echo(markdown_line([f"`{layer.name}`", f"{layer.decibels:.1f}", f"{layer.drop:.1f}"]))


def compare_layers(source: Bundle, shorter: Bundle, pictures: Sequence[Picture]) -> list[Layer]:
    """Every convolution that both graphs name alike, in the graph's order.

    Raises: ExportError: there is no photograph, or the graphs are not of one network.
    """
    if not pictures:
        raise ExportError("There is no photograph to compare on. Give --images a folder of some.")
    graphs = [onnx.load(str(bundle.model)) for bundle in (source, shorter)]
    names = _common_outputs(*graphs)
    if not names:
        raise ExportError(f"{shorter.path} is not made of {source.path}: no convolution has the same name.")
    signal, noise = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    sessions = [_session(graph, names) for graph in graphs]
    for picture in pictures:
        runs = (session.run(names, {INPUT: picture.as_batch().numpy()}) for session in sessions)
        for name, full, short in zip(names, *runs, strict=True):
            signal[name] += _power(full)
            noise[name] += _power(full.astype(np.float32) - short.astype(np.float32))
    return list(_layers(names, [_decibels(signal[name], noise[name]) for name in names]))


def _common_outputs(source: onnx.ModelProto, shorter: onnx.ModelProto) -> list[str]:
    there = {output for node in shorter.graph.node for output in node.output}
    return [
        node.output[0] for node in source.graph.node if node.op_type == "Conv" and node.output[0] in there
    ]


def _session(graph: onnx.ModelProto, names: Sequence[str]) -> onnxruntime.InferenceSession:
    """A session that gives these tensors out, too; none of them may be fused away."""
    shown = {output.name for output in graph.graph.output}
    graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in shown)
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def _layers(names: Sequence[str], decibels: Sequence[float]) -> Iterator[Layer]:
    before = [math.inf, *decibels]
    for name, found, last in zip(names, decibels, before, strict=False):
        drop = max(last - found, 0.0) if math.isfinite(last) and math.isfinite(found) else 0.0
        yield Layer(name, found, drop)


def _power(values: NDArray[np.float32]) -> float:
    return float(np.square(values, dtype=np.float64).mean())


def _decibels(signal: float, noise: float) -> float:
    return 10 * math.log10(signal / noise) if signal and noise else math.inf


if __name__ == "__main__":
    run_command(sensitivity, sys.argv[1:], mistakes=(BundleError, ExportError, OSError))
