"""`python -m export.gate`: graphs against TensorRT's parser and builder, and their operators, in tables.

TensorRT-RTX parses and builds here without a GPU. It is a sibling of TensorRT: what it takes, that one most likely
takes too; how fast an engine is, and how exact, only a GPU tells.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import onnx

from export import ExportError
from export.engine import profiles_for
from export.onnx_graph import write_graph
from export.pooling import pool_for, usual_buckets
from export.precision import graph_in, in_precision
from export.tensorrt import Runtime, build, open_runtime
from model.bundle import Bundle, BundleError, Precision, Size, read_bundle
from model.command_line import run_command
from model.engine import Target
from model.parity.report import markdown_line
from model.parity.stand_in import stand_in_network
from model.variants import VARIANTS, Variant

REFUSED = 1  # exit code: a graph was refused
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "bf16")
ALL = "all"
BATCHES = (1, 2, 4, 8)  # as `panoptic-export` lets them run


@dataclass(frozen=True)
class Candidate:
    """A graph that is held against TensorRT, and what its engine is to take."""

    variant: str
    graph: Path  # as it was exported
    in_precision: Callable[[Precision], onnx.ModelProto]
    buckets: tuple[Size, ...]
    batch_sizes: tuple[int, ...]


@dataclass(frozen=True)
class Trial:
    """What became of one graph in one precision."""

    precision: Precision
    refusal: str  # empty: it was built
    seconds: float  # of processor time
    size: int  # bytes

    def __str__(self) -> str:
        return (
            f"refused: {self.refusal}" if self.refusal else f"{self.seconds:.1f} s, {self.size / 1e6:.1f} MB"
        )


@click.command("python -m export.gate")
@click.argument("bundles", metavar="[BUNDLE...]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--variant",
    "names",
    multiple=True,
    type=click.Choice([ALL, *VARIANTS]),
    metavar="NAME",
    help="A variant at its published size, on stand-in weights, without a bundle; repeat it for more, or `all`.",
)
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(["fp32", "fp16", "bf16", "int8", "fp8"]),
    default=PRECISIONS,
    show_default=True,
    help="What to build; repeat it for more. int8 and fp8 want bundles made so.",
)
@click.option(
    "--target", type=click.Choice(["tensorrt", "tensorrt-rtx"]), default="tensorrt-rtx", show_default=True
)
@click.option("--operators", is_flag=True, help="Print the table of operators behind it.")
def gate(
    bundles: tuple[Path, ...],
    names: tuple[str, ...],
    precisions: tuple[Precision, ...],
    target: Target,
    operators: bool,
) -> int:
    """Build the graph of each BUNDLE and variant, and print a Markdown table of processor time and size.

    Ends with 1 where a graph is refused.
    """
    if not bundles and not names:
        raise click.UsageError("Give bundles, or variants by --variant NAME.")
    runtime = open_runtime(target)
    titles = ["variant", "buckets", "graph, MB", *precisions]
    click.echo(markdown_line(titles))
    click.echo(markdown_line(["---", "---", *["--:"] * (len(titles) - 2)]))
    counts: dict[str, Counter[str]] = {}
    refused = 0
    for candidate in _candidates([read_bundle(path) for path in bundles], names):
        trials = [try_precision(candidate, runtime, precision) for precision in precisions]
        click.echo(markdown_line(_cells(candidate, trials)))
        refused += any(trial.refusal for trial in trials)
        counts[candidate.variant] = operators_of(candidate.graph)
    if operators:
        click.echo("")
        for line in operator_lines(counts):
            click.echo(line)
    return REFUSED if refused else 0


def try_precision(candidate: Candidate, runtime: Runtime, precision: Precision) -> Trial:
    """Build a graph in a precision, and keep nothing."""
    begun = time.process_time()
    try:
        engine = build(
            runtime,
            candidate.in_precision(precision),
            profiles_for(candidate.buckets, candidate.batch_sizes),
            tf32=False,
            timing_cache=None,
            report=lambda line: None,
        )
    except ExportError as error:
        return Trial(precision, str(error), time.process_time() - begun, 0)
    return Trial(precision, "", time.process_time() - begun, len(engine))


def bundled(bundle: Bundle) -> Candidate:
    """A bundle's graph, for the bundle's buckets and batches."""
    spec = bundle.manifest.input
    return Candidate(
        bundle.manifest.variant, bundle.model, partial(graph_in, bundle), spec.buckets, spec.batch_sizes
    )


def traced(variant: Variant, folder: Path) -> Candidate:
    """The graph that `panoptic-export` makes of a variant unless told otherwise; its weights are stand-ins.

    Args:
        folder: takes the graph.
    """
    buckets = usual_buckets(variant.input.size, variant)
    path = folder / f"{variant.name}.onnx"
    write_graph(stand_in_network(pool_for(variant, buckets)), path)
    return Candidate(
        variant.name, path, lambda precision: in_precision(onnx.load(str(path)), precision), buckets, BATCHES
    )


def operators_of(path: Path) -> Counter[str]:
    """How often each operator stands in a graph."""
    return Counter(node.op_type for node in onnx.load(str(path), load_external_data=False).graph.node)


def operator_lines(counts: Mapping[str, Counter[str]]) -> Iterator[str]:
    """A Markdown table, a row a variant."""
    names = sorted({name for found in counts.values() for name in found})
    yield markdown_line(["variant", *names])
    yield markdown_line(["---", *["--:"] * len(names)])
    for variant, found in counts.items():
        yield markdown_line([f"`{variant}`", *(str(found[name] or "") for name in names)])


def _candidates(bundles: Sequence[Bundle], names: Sequence[str]) -> Iterator[Candidate]:
    """One after the other; a traced graph is gone when the next is asked for."""
    yield from map(bundled, bundles)
    for name in VARIANTS if ALL in names else names:
        with tempfile.TemporaryDirectory() as folder:
            yield traced(VARIANTS[name], Path(folder))


def _cells(candidate: Candidate, trials: Sequence[Trial]) -> Iterator[str]:
    yield f"`{candidate.variant}`"
    yield ", ".join(f"{rows}×{columns}" for rows, columns in candidate.buckets)
    yield f"{candidate.graph.stat().st_size / 1e6:.1f}"
    yield from map(str, trials)


if __name__ == "__main__":
    run_command(gate, sys.argv[1:], mistakes=(BundleError, ExportError, OSError))
