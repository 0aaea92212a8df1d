"""`panoptic-export engine`: TensorRT's engine of a bundle."""

from pathlib import Path

import click

from export.commands.words import FILE, report_step
from model.bundle import Precision, read_bundle
from model.engine import Target, usual_folder


@click.command("panoptic-export engine")
@click.argument("bundle_path", metavar="BUNDLE", type=FILE)
@click.option(
    "--target",
    type=click.Choice(["tensorrt", "tensorrt-rtx"]),
    default="tensorrt",
    show_default=True,
    help="Which TensorRT; tensorrt-rtx builds without a GPU.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "bf16", "int8", "fp8"]),
    default="fp32",
    show_default=True,
    help="Number format of the products; int8 and fp8 want a bundle made by `panoptic-export quantize`.",
)
@click.option("--out", type=FILE, metavar="DIR", help="Where to write.  [default: engines/ in the bundle]")
@click.option(
    "--tf32", is_flag=True, help="Let fp32 products be rounded to 19 bits, as TensorRT would by itself."
)
@click.option("--anew", is_flag=True, help="Build even where an engine that fits is there.")
@click.option("--device", type=click.IntRange(0), default=0, show_default=True, help="Number of the GPU.")
def engine(
    bundle_path: Path,
    target: Target,
    precision: Precision,
    out: Path | None,
    tf32: bool,
    anew: bool,
    device: int,
) -> None:
    """Build TensorRT's engine of BUNDLE, with one profile a bucket in all batch sizes of the bundle.

    Beside it lies a record, by which every program that loads it checks that it was built for what is there.
    """
    from export.engine import Order, write_engine

    bundle = read_bundle(bundle_path)
    order = Order(target, precision, tf32=tf32, anew=anew, device=device)
    built = write_engine(bundle, out or usual_folder(bundle), order, report_step)
    record = built.record
    done = "fits already" if built.reused else f"built in {record.seconds:.1f} s"
    click.echo(f"{built.path}: {record.target} {record.runtime}, {record.size / 1e6:.1f} MB, {done}")
