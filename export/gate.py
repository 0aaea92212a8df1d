"""`python -m export.gate`: every bundle's graph against TensorRT's parser and builder, and its operators, in one table.

TensorRT-RTX parses and builds here without a GPU. It is a sibling of TensorRT: what it takes, that one most likely
takes too; how fast an engine is, and how exact, only a GPU tells.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import onnx

from export import ExportError
from export.engine import profiles_of
from export.precision import graph_in
from export.tensorrt import Runtime, build, open_runtime
from model.bundle import Bundle, BundleError, Precision, read_bundle
from model.command_line import run_command
from model.engine import Target
from model.parity.report import markdown_line

REFUSED = 1  # exit code: a graph was refused
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "bf16")


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
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--target", type=click.Choice(["tensorrt", "tensorrt-rtx"]), default="tensorrt-rtx", show_default=True
)
@click.option("--operators", is_flag=True, help="Print the table of operators, and build nothing.")
def gate(bundles: tuple[Path, ...], target: Target, operators: bool) -> int:
    """Build each BUNDLE's graph in fp32, fp16 and bf16, and print a Markdown table of processor time and size.

    Ends with 1 where a graph is refused.
    """
    found = [read_bundle(path) for path in bundles]
    if operators:
        for line in _operator_lines(found):
            click.echo(line)
        return 0
    runtime = open_runtime(target)
    titles = ["variant", "buckets", "graph, MB", *PRECISIONS]
    click.echo(markdown_line(titles))
    click.echo(markdown_line(["---"] * len(titles)))
    refused = 0
    for bundle in found:
        trials = [try_precision(bundle, runtime, precision) for precision in PRECISIONS]
        buckets = ", ".join(f"{rows}×{columns}" for rows, columns in bundle.manifest.input.buckets)
        size = f"{bundle.model.stat().st_size / 1e6:.1f}"
        click.echo(markdown_line([f"`{bundle.manifest.variant}`", buckets, size, *map(str, trials)]))
        refused += any(trial.refusal for trial in trials)
    return REFUSED if refused else 0


def try_precision(bundle: Bundle, runtime: Runtime, precision: Precision) -> Trial:
    """Build a bundle's graph in a precision, and keep nothing."""
    begun = time.process_time()
    try:
        engine = build(
            runtime,
            graph_in(bundle, precision),
            profiles_of(bundle),
            tf32=False,
            timing_cache=None,
            report=lambda line: None,
        )
    except ExportError as error:
        return Trial(precision, str(error), time.process_time() - begun, 0)
    return Trial(precision, "", time.process_time() - begun, len(engine))


def operators_of(path: Path) -> Counter[str]:
    """How often each operator stands in a graph."""
    return Counter(node.op_type for node in onnx.load(str(path), load_external_data=False).graph.node)


def _operator_lines(bundles: Iterable[Bundle]) -> Iterator[str]:
    counts = {bundle.manifest.variant: operators_of(bundle.model) for bundle in bundles}
    names = sorted({name for found in counts.values() for name in found})
    yield markdown_line(["variant", *names])
    yield markdown_line(["---", *["--:"] * len(names)])
    for variant, found in counts.items():
        yield markdown_line([f"`{variant}`", *(str(found[name] or "") for name in names)])


if __name__ == "__main__":
    run_command(gate, sys.argv[1:], mistakes=(BundleError, ExportError, OSError))
