"""`python -m export.family`: every variant exported and proved on stand-in weights, and what that cost, in one table.

No published weights are needed: they are filled from the parameters' names, and the certificates say so.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from export import ExportError
from export.onnx_graph import side_form
from model.bundle import Bundle, Size, read_bundle
from model.checkpoints.weights import write_weights
from model.command_line import run_command
from model.parity.report import facts, markdown_line, multiply_adds
from model.parity.stand_in import stand_in_network
from model.variants import VARIANTS, Variant, find_variant

FAILED = 1  # exit code: a variant was not exported
WEIGHTS = "stand-in: filled by parameter names, seed 0"
TITLES = (
    "variant",
    "source",
    "published PQ",
    "parameters, M",
    "GMACs",
    "buckets",
    "bundle, MB",
    "export, s",
    "memory, GB",
    "largest difference",
    "panoptic equal",
)


@dataclass(frozen=True)
class Exported:
    """One variant's bundle, and what making it cost."""

    variant: Variant
    bundle: Bundle
    seconds: float
    memory: int  # bytes, the largest resident set of the exporting process


@click.command("python -m export.family")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the bundles.")
@click.option("--variant", "names", multiple=True, help="Only this one; repeat it for more.  [default: all]")
@click.option("--part", type=click.IntRange(min=1), default=1, help="Divide the published sides by it.")
@click.option("--batch-sizes", default="1,2", show_default=True, help="What the proofs run in full.")
def family(out: Path, names: tuple[str, ...], part: int, batch_sizes: str) -> int:
    """Export each variant at its published size and at half of it, prove it, and print a Markdown table.

    Each runs in a process of its own, `panoptic-export`, so that its memory is its own. Ends with 1 where one failed.
    """
    variants = [find_variant(name) for name in names] or list(VARIANTS.values())
    click.echo(markdown_line(TITLES))
    click.echo(markdown_line(["---"] * len(TITLES)))
    failed = 0
    for variant in variants:
        try:
            click.echo(markdown_line(_cells(export_stand_in(variant, out / variant.name, part, batch_sizes))))
        except ExportError as error:
            failed += 1
            click.echo(markdown_line([f"`{variant.name}`", f"FAILED: {error}"]))
    return FAILED if failed else 0


def export_stand_in(variant: Variant, out: Path, part: int, batch_sizes: str) -> Exported:
    """Make a bundle of stand-in weights by the command itself.

    Raises: ExportError: the command failed; the message is its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "stand-in.safetensors"
        metadata = {"variant": variant.name, "licence": "none", "training_data": "none", "weights": WEIGHTS}
        write_weights(checkpoint, stand_in_network(variant).state_dict(), metadata)
        buckets = ",".join(f"{rows}x{columns}" for rows, columns in family_buckets(variant, part))
        arguments = [str(checkpoint), "--out", str(out), "--buckets", buckets, "--batch-sizes", batch_sizes]
        begun = time.perf_counter()
        status, memory, told = _run([sys.executable, "-m", "export.cli", *arguments])
    if status:
        raise ExportError(told.strip().splitlines()[-1] if told.strip() else f"ended with {status}")
    return Exported(variant, read_bundle(out), time.perf_counter() - begun, memory)


def family_buckets(variant: Variant, part: int) -> tuple[Size, ...]:
    """The published size divided by `part`, and half of that, of the graph's form."""
    form = side_form(variant)
    sizes = []
    for divisor in (part, 2 * part):
        rows, columns = (
            max(side // divisor // form.step, 1) * form.step + form.rest for side in variant.input.size
        )
        sizes.append((rows, columns))
    return tuple(dict.fromkeys(sizes))


def _run(command: Sequence[str]) -> tuple[int, int, str]:
    """Run a command: its exit code, its largest resident set in bytes, and what it told."""
    with tempfile.TemporaryFile("w+") as told:
        child = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        return child.returncode, usage.ru_maxrss * 1024, told.read()


def _cells(exported: Exported) -> Iterator[str]:
    variant, manifest = exported.variant, exported.bundle.manifest
    buckets = manifest.input.buckets
    yield from facts(variant)
    yield f"{multiply_adds(variant, *buckets[0]) / 1e9:.1f}"
    yield ", ".join(f"{rows}×{columns}" for rows, columns in buckets)
    yield f"{sum(entry.size for entry in manifest.files.values()) / 1e6:.1f}"
    yield f"{exported.seconds:.0f}"
    yield f"{exported.memory / 1e9:.1f}"
    yield f"{max(manifest.certificate.max_abs_difference.values()):.1e}"
    yield f"{manifest.certificate.equal_panoptic_pixels:.4%}"


if __name__ == "__main__":
    run_command(family, sys.argv[1:], mistakes=(ExportError, ValueError, OSError))
